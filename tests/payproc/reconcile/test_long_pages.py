"""A page whose time is over keeps what it has, and the next goes on from there: inside a payout, between two rows."""

from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from payproc.database.models import FindingKind, Loop, ReconciliationRun, RunState, SettlementLine
from payproc.domain.states import PaymentStatus
from payproc.providers.listing import Page
from payproc.providers.stripe.provider import StripeProvider
from payproc.reconcile.balance import payouts, settlement
from payproc.reconcile.balance.payouts import Place
from payproc.reconcile.objects import payments
from payproc.reconcile.objects.pages import PageClock
from payproc.reconcile.runs import Batch, Steps, Work
from tests.payproc.reconcile.audit import STEPS, Audit

# A page whose time is over at once.
OVER = partial(PageClock, seconds=-1)
HASTY: Steps = tuple(
    replace(step, fetch=partial(payouts.fetch, clock=OVER)) if step.name == "payouts" else step
    for step in settlement.STEPS
)


@pytest.fixture
def one_line_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have Stripe tell the lines of a payout one by one, as it does a hundred by a hundred."""
    whole = StripeProvider.list_payout_lines

    def list_payout_lines(self: StripeProvider, payout_id: str, *, cursor: str | None) -> Page[Any]:
        page, place = whole(self, payout_id, cursor=None), int(cursor or 0)
        more = place + 1 < len(page.items)
        return Page(items=page.items[place : place + 1], next_cursor=str(place + 1) if more else None)

    monkeypatch.setattr(StripeProvider, "list_payout_lines", list_payout_lines)


def paid_out(audit: Audit) -> dict[str, Any]:
    for amount in (10000, 5000, 2500):
        audit.paid(amount)
    [payout] = audit.world.at_stripe("payouts")["payouts"]
    return dict(payout)


def pages_of_payouts(audit: Audit, monkeypatch: pytest.MonkeyPatch) -> tuple[ReconciliationRun, list[Place]]:
    """Compare the money, each page's time being over at once; return the run, and where it stood inside payouts."""
    stood: list[Place] = []
    settled = payouts.settle

    def settle(session: Any, work: Any, run: ReconciliationRun, batch: Any) -> None:
        settled(session, work, run, batch)
        stood.append(Place.read(batch.cursor))

    watched = tuple(replace(step, settle=settle) if step.name == "payouts" else step for step in HASTY)
    monkeypatch.setitem(STEPS, Loop.MONEY, watched)
    return audit.run(Loop.MONEY), stood


@pytest.mark.usefixtures("one_line_a_page")
def test_a_payout_of_many_lines_is_gone_through_in_many_pages(audit: Audit, monkeypatch: pytest.MonkeyPatch) -> None:
    payout = paid_out(audit)
    run, stood = pages_of_payouts(audit, monkeypatch)
    assert run.state is RunState.DONE
    assert [place.line for place in stood] == ["1", "2", "3", None], "three sales and the payout's own line"
    assert {line.payout for line in audit.world.rows(SettlementLine)} == {payout["id"]}
    assert audit.findings() == []
    assert run.counts["compared"]["payouts"] == 1


@pytest.mark.usefixtures("one_line_a_page")
def test_the_sum_of_a_payout_is_that_of_all_its_pages(audit: Audit, monkeypatch: pytest.MonkeyPatch) -> None:
    payout = paid_out(audit)
    audit.patch(payout["id"], amount=payout["amount"] + 1)
    pages_of_payouts(audit, monkeypatch)
    [finding] = audit.findings(is_open=True)
    assert (finding.kind, finding.theirs) == (FindingKind.PAYOUT_SUM_MISMATCH, payout["id"])


def test_a_place_that_the_release_before_wrote_down_is_understood() -> None:
    assert Place.read("po_9|3") == Place(page="po_9", payout=3)
    assert Place.read("|2") == Place(payout=2)
    assert Place.read(None) == Place()
    inside = Place(page="po_9", payout=1, line="txn_7", net=-12, others=("eur",))
    assert Place.read(inside.written()) == inside


def test_rows_that_are_asked_about_one_by_one_are_kept_one_by_one(
    audit: Audit, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = [audit.world.started() for _ in range(3)]
    for payment in late:
        audit.world.act(payment, "expire")
        audit.world.age("payments", payment.id, created_at="2 days", expires_at="2 days")
    listed, ours = replace(payments.SWEEP, clock=OVER).steps()
    asked: list[int] = []

    def fetch(work: Work, cursor: str | None) -> Batch[Any]:
        batch = ours.fetch(work, cursor)
        asked.append(len(batch.items))
        return batch

    monkeypatch.setitem(STEPS, Loop.OBJECTS, (listed, replace(ours, fetch=fetch)))
    audit.run(Loop.OBJECTS)
    assert asked == [1, 1, 1]
    assert {audit.world.status(payment.id) for payment in late} == {PaymentStatus.CANCELLED}
