"""The database is lost and restored to a moment: the gateways know the rest, and nothing goes out a second time.

What is typed is read out of docs/runbooks/restore.md.
"""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import select, text

from payproc.database.models import Payment, Refund, Review, ReviewKind
from payproc.domain.money import Money
from payproc.domain.states import PaymentStatus, RefundStatus
from payproc.flows.request_refund import request_refund
from payproc.providers.easy_paisa import EASY_PAISA
from payproc.providers.jazz_cash import JAZZ_CASH
from sandbox.gateway import RunningGateway
from tests.faults.machines.cluster import Cluster, give_to_server, run_as_server
from tests.faults.machines.house import DATABASE, House, housed, make_database
from tests.faults.machines.runbook import Block, blocks, is_typed_whole, typed
from tests.support.databases import ROOT
from tests.support.serving import Front

RUNBOOK = "restore.md"
ONCE, NIGHTLY, HAPPENED, KNOWN, DUMP = (
    *("Once: let everything be archived", "Nightly: a base backup", "When it has happened"),
    *("What the gateways know", "The small shop's way: a dump"),
)


@dataclass(frozen=True, kw_only=True)
class Operator:
    """Who types what the runbook says: at the database's machine, and where payproc runs."""

    house: House
    cluster: Cluster
    backups: Path

    def does(self, heading: str, *steps: int, **more: str) -> str:
        """Type the blocks under a heading, all or those of some steps, and return what the last one printed."""
        wanted = [each for each in blocks(RUNBOOK) if each.heading == heading and (not steps or each.step in steps)]
        assert wanted, f"the runbook has no such block: {heading} {steps}"
        said = ""
        for block in wanted:
            said = self.types(block, **more)
        return said

    def types(self, block: Block, **more: str) -> str:
        """Type one block, and return what it printed."""
        if block.who == "postgres":
            environment = self.cluster.environment() | {"BACKUPS": str(self.backups)} | more
            return run_as_server(typed(block.script), environment=environment, directory=self.cluster.data.parent)
        assert block.who == "payproc", block
        path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
        environment = {"PATH": path, "STATEMENTS": str(self.statements), **self.house.environment, **more}
        done = subprocess.run(
            typed(block.script), cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, f"{block.script}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    @property
    def statements(self) -> Path:
        return self.backups / "statements"

    def now(self) -> str:
        """The moment, by the database's clock."""
        with self.house.world.app.database.transaction() as session:
            return str(session.scalars(text("SELECT clock_timestamp()")).one())


@pytest.fixture
def house(cluster: Cluster, wallets: RunningGateway, front: Front) -> Iterator[House]:
    make_database(cluster)
    with housed(cluster.url(DATABASE), wallets, front) as made:
        yield made


@pytest.fixture
def operator(cluster: Cluster, house: House) -> Operator:
    backups = cluster.data.parent / "backups"
    give_to_server(backups)
    return Operator(house=house, cluster=cluster, backups=backups)


@dataclass(frozen=True, kw_only=True)
class Afterwards:
    """What happened after the moment, of which the restored database knows nothing."""

    paid: Payment  # begun before the moment
    given_back: Payment  # paid before, a part of it refunded since
    lost: Payment  # taken, paid and in part refunded since
    rung: Payment  # taken by a wallet before the moment, and charged since
    wallet_given_back: Payment  # refunded since, by a call that knows no key
    wallet_lost: Payment  # taken and paid since


def refund(house: House, payment: Payment, amount: str, *, key: str) -> dict[str, Any]:
    answer = requests.post(
        f"{house.world.front.url}/api/v1/payments/refund/{payment.id}",
        json={"amount": amount},
        headers={"Authorization": f"Bearer {house.key}", "Idempotency-Key": key},
        timeout=30,
    )
    assert answer.status_code in (200, 202), answer.text
    return dict(answer.json())


def told(house: House, payment: Payment) -> Payment:
    """Let the card payment be paid at Stripe, and all of it be told and done here."""
    house.world.act(payment, "pay")
    house.world.deliver_all(payment)
    house.world.drain()
    return house.world.payment(payment.id)


def completed_by_wallet(house: House, payment: Payment) -> Payment:
    house.world.becomes(payment, "completed")
    return house.world.payment(payment.id)


def lived_through(operator: Operator) -> tuple[str, Afterwards]:
    """Let a shop live up to the moment and on after it; returns the moment and what came after."""
    house, world = operator.house, operator.house.world
    given_back = world.paid()
    wallet_paid = completed_by_wallet(house, world.begin(JAZZ_CASH))
    operator.does(NIGHTLY)
    paid = world.started()
    rung = world.take(EASY_PAISA)
    with world.app.database.transaction() as session:
        request_refund(world.app, session, wallet_paid.id, user=world.customer, money=Money.of(20000, "pkr"))
    moment = operator.now()

    world.drain()  # the wallet is rung, and the wallet's refund goes out
    completed_by_wallet(house, rung)
    told(house, paid)
    refund(house, given_back, "5.00", key="the first refund")
    lost = world.paid()
    refund(house, lost, "3.00", key="the second refund")
    wallet_lost = completed_by_wallet(house, world.begin(EASY_PAISA))
    world.drain()
    return moment, Afterwards(
        paid=paid,
        given_back=given_back,
        lost=lost,
        rung=rung,
        wallet_given_back=wallet_paid,
        wallet_lost=wallet_lost,
    )


def refunded_at_stripe(house: House, payment: Payment) -> list[int]:
    intent = payment.stripe_payment_intent_id
    assert intent is not None
    return [each.amount for each in house.world.stripe().v1.refunds.list({"payment_intent": intent}).data]


def refunds_here(house: House, payment: Payment) -> list[tuple[int, RefundStatus]]:
    query = select(Refund).where(Refund.payment_id == payment.id)
    with house.world.app.database.transaction() as session:
        return [(each.amount_minor, each.status) for each in session.scalars(query)]


def download_statements(operator: Operator) -> None:
    operator.statements.mkdir()
    for method, gateway in (("jazz_cash", "jazzcash"), ("easy_paisa", "easypaisa")):
        answer = requests.get(f"{operator.house.world.wallet_url}/statement", params={"gateway": gateway}, timeout=10)
        assert answer.ok, answer.text
        (operator.statements / f"{method}.csv").write_text(answer.text)


def open_questions(house: House) -> list[Review]:
    with house.world.app.database.transaction() as session:
        return list(session.scalars(select(Review).where(Review.resolved_at.is_(None))))


def test_what_the_gateways_know_comes_back_and_nothing_goes_out_twice(operator: Operator) -> None:
    house, world = operator.house, operator.house.world
    operator.does(ONCE)
    moment, after = lived_through(operator)
    assert world.at_wallet(after.wallet_given_back)["refunded"] == 20000

    operator.cluster.kill()
    operator.does(HAPPENED, MOMENT=moment)
    # The restored database knows none of it.
    assert world.status(after.paid.id) is PaymentStatus.PENDING
    assert refunds_here(house, after.given_back) == []
    assert [each for each in world.rows(Payment) if each.id in (after.lost.id, after.wallet_lost.id)] == []

    download_statements(operator)
    operator.does(KNOWN, 8, 9, MOMENT=moment)
    for _ in range(3):
        # What relay and workers do meanwhile, those asked about later among it.
        world.make_due()
        world.drain()
    operator.does(KNOWN, 10, 11, 12, 13, MOMENT=moment)

    # Cards: what Stripe has is what stands here, under the names that the shop was told.
    assert world.status(after.paid.id) is PaymentStatus.COMPLETED
    again = world.payment(after.lost.id)
    assert (again.status, again.reference, again.user_id) == ("completed", after.lost.reference, world.customer.id)
    assert again.money == after.lost.money
    for payment, amount in ((after.given_back, 500), (after.lost, 300)):
        assert refunded_at_stripe(house, payment) == [amount]
        assert refunds_here(house, payment) == [(amount, RefundStatus.SUCCEEDED)]
    # Wallets: rung once, given back once.
    assert world.status(after.rung.id) is PaymentStatus.COMPLETED
    assert [world.at_wallet(after.rung)[name] for name in ("debits", "charge_calls")] == [1, 1]
    assert world.at_wallet(after.wallet_given_back)["refunded"] == 20000
    # A wallet's sale that is missing here altogether is a question, and so is whether its refund was made.
    asked = {review.kind: review.detail for review in open_questions(house)}
    assert after.wallet_lost.reference in asked[ReviewKind.FINDING]


def test_a_dump_is_read_back_in_the_databases_place(operator: Operator) -> None:
    world = operator.house.world
    paid = world.paid()
    first, second = (each for each in blocks(RUNBOOK) if each.heading == DUMP)
    operator.types(first)
    forgotten = world.checkout()
    # Everything is stopped: nobody holds the database that gives way.
    world.app.database.dispose()
    operator.types(second)
    assert [each.id for each in world.rows(Payment)] == [paid.id]
    assert world.status(paid.id) is PaymentStatus.COMPLETED
    assert forgotten.id != paid.id


def test_no_block_of_the_page_is_left_untried() -> None:
    tried = {(ONCE, 1), (NIGHTLY, 2), *((HAPPENED, step) for step in (5, 6, 7)), (DUMP, 0)}
    assert is_typed_whole(RUNBOOK, tried | {(KNOWN, step) for step in (8, 9, 10, 11, 12, 13)})


def test_the_same_refund_asked_for_again_after_a_restore_is_given_back_once(operator: Operator) -> None:
    house, world = operator.house, operator.house.world
    operator.does(ONCE)
    unheard, heard = world.paid(), world.paid()
    operator.does(NIGHTLY)
    moment = operator.now()
    before = [refund(house, each, "5.00", key=each.id) for each in (unheard, heard)]
    world.drain()
    operator.cluster.kill()
    operator.does(HAPPENED, MOMENT=moment)

    # One is asked for before anybody has heard of it from Stripe, the other after.
    again = [refund(house, unheard, "5.00", key=unheard.id)]
    operator.does(KNOWN, 8, 9, MOMENT=moment)
    again += [refund(house, heard, "5.00", key=heard.id)]
    for _ in range(3):
        world.make_due()
        world.drain()
    assert [each["refund_id"] for each in again] == [each["refund_id"] for each in before]
    for payment in (unheard, heard):
        assert refunded_at_stripe(house, payment) == [500]
        assert refunds_here(house, payment) == [(500, RefundStatus.SUCCEEDED)]
    # Another one of the same amount, under another key, is another one.
    refund(house, heard, "5.00", key="another")
    world.drain()
    assert refunded_at_stripe(house, heard) == [500, 500]
