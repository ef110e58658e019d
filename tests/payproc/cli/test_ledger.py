"""Journals by hand: drafted by one person, approved by another, and refused where they would lie."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from typer.testing import CliRunner

from payproc.cli import app as cli
from payproc.database.models import EmailKind, Journal, LedgerDraft, Payment, Role
from payproc.domain.provenance import Provenance, Source
from payproc.domain.settlement import LineKind, SettlementLine
from payproc.domain.states import Fact, PaymentStatus
from payproc.operations.doctor import broken_invariants
from payproc.providers.stripe import STRIPE
from payproc.records import payments
from payproc.records.identity.users import create_user
from payproc.records.ledger import journal
from payproc.records.ledger.suspense import in_suspense
from tests.support.after_payment import given
from tests.support.world import World

WHY = ("--reason", "the bank's own fee", "--document", "statement 7/2026, line 3")
Command = Callable[..., Any]


@pytest.fixture
def people(world: World) -> tuple[str, str]:
    """Two of the merchant's staff."""
    with world.app.database.transaction() as session:
        made = [
            create_user(session, email=f"{name}@shop.pk", name=name, role=Role.OPERATOR) for name in ("bilal", "sana")
        ]
        return made[0].id, made[1].id


@pytest.fixture
def answer(world: World, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.setenv("DATABASE_URL", world.app.settings.database_url)

    def run(*arguments: str) -> Any:
        told = CliRunner().invoke(cli, ["ledger", *arguments, "--json"])
        assert told.exit_code == 0, told.output
        return json.loads(told.stdout)

    return run


@pytest.fixture
def refused(world: World, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.setenv("DATABASE_URL", world.app.settings.database_url)

    def run(*arguments: str) -> str:
        told = CliRunner().invoke(cli, ["ledger", *arguments])
        assert told.exit_code == 1, told.output
        return told.stderr

    return run


@pytest.fixture
def strange(world: World) -> SettlementLine:
    """A line that nothing of ours explains."""
    line = SettlementLine(
        id="txn_1",
        kind=LineKind.OTHER,
        category="network_cost",
        currency="usd",
        gross=-250,
        fee=0,
        net=-250,
        source=None,
        created_at=datetime(2026, 3, 1, tzinfo=UTC),
    )
    with world.app.database.transaction() as session:
        journal.record_line(session, STRIPE, line, payment_id=None)
    return line


def standing(world: World) -> dict[str, int]:
    with world.app.database.transaction() as session:
        assert broken_invariants(session) == []
        found = journal.balances(session)
    return {b.account.value: b.money.amount_minor for b in found if b.money.amount_minor}


def test_a_line_leaves_suspense_when_another_person_approves_what_one_has_drafted(
    world: World, strange: SettlementLine, people: tuple[str, str], answer: Command, refused: Command
) -> None:
    one, another = people
    sides = ("--side", "suspense -2.50 usd", "--side", "fees 2.50 usd", "--line", strange.id)
    draft = answer("adjust", STRIPE, *sides, *WHY, "--by", one)
    assert standing(world) == {"suspense": 250, "receivable": -250}
    assert [each["id"] for each in answer("drafts")["drafts"]] == [draft["id"]]
    assert "somebody else has to approve it" in refused("approve", draft["id"], "--by", one)
    assert f"{world.customer.id} is no member of the staff" in refused(
        "approve", draft["id"], "--by", world.customer.id
    )

    booked = answer("approve", draft["id"], "--by", another)
    assert (booked["drafted_by"], booked["approved_by"]) == (one, another)
    assert standing(world) == {"fees": 250, "receivable": -250}
    with world.app.database.transaction() as session:
        assert in_suspense(session, STRIPE) == []
        kept = session.get_one(Journal, booked["journal_id"])
    assert (kept.key, kept.evidence) == (f"adjustment:{draft['id']}", "statement 7/2026, line 3")
    assert "booked already" in refused("approve", draft["id"], "--by", another)
    assert answer("drafts")["drafts"] == []


def test_what_was_booked_by_hand_is_taken_back_once(
    world: World, strange: SettlementLine, people: tuple[str, str], answer: Command, refused: Command
) -> None:
    one, another = people
    sides = ("--side", "suspense -2.50 usd", "--side", "fees 2.50 usd", "--line", strange.id)
    wrong = answer("adjust", STRIPE, *sides, *WHY, "--by", one)
    answer("approve", wrong["id"], "--by", another)
    first, second = (answer("reverse", f"adjustment:{wrong['id']}", *WHY, "--by", one)["id"] for _ in range(2))
    answer("approve", first, "--by", another)
    assert standing(world) == {"suspense": 250, "receivable": -250}
    with world.app.database.transaction() as session:
        [left] = in_suspense(session, STRIPE)
    assert (left.line_id, left.money.amount_minor) == (strange.id, 250)
    assert "was taken back already" in refused("approve", second, "--by", another)


@pytest.mark.parametrize(
    ("sides", "said"),
    [
        (("fees 2.50 usd", "suspense -2.00 usd"), "do not balance: 0.50 USD"),
        (("fees 2.50 usd", "suspense -2.50 eur"), "do not balance"),
        (("fees 0 usd", "suspense 0 usd"), "more than zero"),
        (("fees 2.50", "suspense -2.50 usd"), "is not an account"),
        (("gifts 2.50 usd", "suspense -2.50 usd"), "is not an account"),
        (("fees 2.505 usd", "suspense -2.505 usd"), "2 decimals"),
    ],
)
def test_a_draft_that_says_nothing_right_is_refused(
    world: World, people: tuple[str, str], refused: Command, sides: tuple[str, ...], said: str
) -> None:
    options = [option for side in sides for option in ("--side", side)]
    assert said in " ".join(refused("adjust", STRIPE, *options, *WHY, "--by", people[0]).split())
    assert world.rows(LedgerDraft) == []


def test_a_draft_about_a_line_or_a_journal_that_is_not_there_is_refused(
    world: World, people: tuple[str, str], refused: Command
) -> None:
    paid = world.paid()
    sides = ("--side", "suspense 1.00 usd", "--side", "fees -1.00 usd")
    assert "no line txn_9" in refused("adjust", STRIPE, *sides, *WHY, "--by", people[0], "--line", "txn_9")
    assert "no journal line:x" in refused("reverse", "line:x", *WHY, "--by", people[0])
    assert "another journal follows" in refused("reverse", f"sale:{paid.id}", *WHY, "--by", people[0])
    assert "no member of the staff" in refused("undo-sale", paid.id, *WHY, "--by", world.customer.id)


@pytest.fixture
def by_hand(world: World) -> Payment:
    """A payment that an operator completed by mistake."""
    payment = world.started()
    with world.app.database.transaction() as session:
        provenance = Provenance(source=Source.OPERATOR, evidence="rev_1")
        payments.apply_fact(session, payment.id, Fact.PAID, provenance=provenance)
    return payment


def test_a_payment_that_was_completed_wrongly_is_failed_and_its_sale_is_taken_back(
    world: World, by_hand: Payment, people: tuple[str, str], answer: Command, refused: Command
) -> None:
    draft = answer("undo-sale", by_hand.id, *WHY, "--by", people[0])
    assert world.status(by_hand.id) is PaymentStatus.COMPLETED
    answer("approve", draft["id"], "--by", people[1])
    undone = world.payment(by_hand.id)
    assert (undone.status, undone.failure_code, undone.completed_at) == (PaymentStatus.FAILED, "sale_undone", None)
    assert standing(world) == {}
    again = answer("undo-sale", by_hand.id, *WHY, "--by", people[0])
    assert "is failed" in refused("approve", again["id"], "--by", people[1])
    # A receipt that nobody has sent yet is not sent.
    world.drain()
    mails = {mail.kind: mail.withdrawn_at is None for mail in world.emails()}
    assert mails == {EmailKind.RECEIPT: False, EmailKind.FAILURE: True}


def test_one_that_is_paid_after_all_is_sold_anew(
    world: World, by_hand: Payment, people: tuple[str, str], answer: Command
) -> None:
    world.drain()
    draft = answer("undo-sale", by_hand.id, *WHY, "--by", people[0])
    answer("approve", draft["id"], "--by", people[1])
    world.act(by_hand, "pay")
    world.deliver_all(by_hand)
    world.drain()
    assert world.status(by_hand.id) is PaymentStatus.COMPLETED
    assert standing(world) == {"receivable": 1999, "sales": -1999}
    assert sorted(each.key for each in world.rows(Journal)) == [
        f"sale:{by_hand.id}",
        f"sale:{by_hand.id}:2",
        f"sale_undone:{by_hand.id}",
    ]


def test_a_sale_of_which_anything_was_given_back_stands(
    world: World, people: tuple[str, str], answer: Command, refused: Command
) -> None:
    paid = world.paid()
    given(world, paid, 500)
    draft = answer("undo-sale", paid.id, *WHY, "--by", people[0])
    assert "5.00 USD of it is given back" in refused("approve", draft["id"], "--by", people[1])
