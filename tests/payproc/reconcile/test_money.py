"""The money: fees, other currencies and payouts, line by line against the ledger."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from payproc.database.models import EmailKind, FindingKind, Job, Loop, NoticeState, Payment, SettlementLine
from payproc.domain.money import Money
from payproc.domain.provenance import Provenance, Source
from payproc.domain.states import Fact, PaymentStatus, RefundStatus
from payproc.jobs import Kind
from payproc.providers.stripe import STRIPE
from payproc.providers.stripe.wire import balance
from payproc.reconcile.balance import settlement
from payproc.reconcile.classification import Severity, severity_of
from payproc.records import payments
from payproc.records.ledger import journal
from sandbox.gateway import GatewayConfig, start_gateway
from tests.payproc.reconcile.audit import Audit
from tests.support.after_payment import STAYS_PENDING, dispute, given, read
from tests.support.configuration import WEBHOOK_SECRET
from tests.support.world import World


def standing(audit: Audit) -> dict[tuple[str, str], int]:
    """What stands on each account in each currency, in minor units."""
    with audit.world.app.database.transaction() as session:
        found = journal.balances(session)
    return {(b.account.value, b.money.currency.code): b.money.amount_minor for b in found if b.money.amount_minor}


def line_of(audit: Audit, source: str | None) -> dict[str, Any]:
    found = audit.world.stripe().v1.balance_transactions.list({"source": source or "", "limit": 1})
    return dict(found.data[0].to_dict())


def test_fees_and_refunds_reach_the_books(audit: Audit) -> None:
    paid = audit.paid(10000)
    given(audit.world, paid, 2500)
    run = audit.run(Loop.MONEY)

    assert audit.findings() == []
    assert run.counts["lines"] == {"booked": 2}
    fee = 290
    assert standing(audit) == {
        ("receivable", "usd"): 10000 - 2500 - fee,
        ("sales", "usd"): -10000,
        ("refunds", "usd"): 2500,
        ("fees", "usd"): fee,
    }


def test_a_second_run_books_nothing(audit: Audit) -> None:
    audit.paid()
    audit.run(Loop.MONEY)
    before = standing(audit)
    run = audit.run(Loop.MONEY)
    assert (run.counts["lines"], standing(audit)) == ({"known": 1}, before)


def test_a_dispute_booked_by_its_event_is_not_booked_again(audit: Audit) -> None:
    paid = audit.paid()
    dispute(audit.world, paid)
    before = standing(audit)
    audit.run(Loop.MONEY)
    after = standing(audit)
    assert after[("disputes", "usd")] == before[("disputes", "usd")] == 10000
    assert after[("fees", "usd")] == before[("fees", "usd")] + 290


def test_a_refund_that_failed_late_leaves_the_books_as_before_it(audit: Audit) -> None:
    paid = audit.paid()
    made = given(audit.world, paid)
    audit.run(Loop.MONEY)
    audit.world.at_stripe(f"refunds/{made.provider_refund_id}/fail")
    # Not told yet: booked now, it would be booked a second time when it is.
    assert audit.run(Loop.MONEY).counts["lines"]["waiting"] == 1
    audit.run(Loop.OBJECTS)
    assert read(audit.world, made).status is RefundStatus.FAILED
    audit.run(Loop.MONEY)
    assert standing(audit) == {("receivable", "usd"): 9710, ("sales", "usd"): -10000, ("fees", "usd"): 290}


def test_the_line_of_a_pending_refund_waits_for_its_end(audit: Audit) -> None:
    paid = audit.paid(STAYS_PENDING)
    made = given(audit.world, paid)
    assert audit.run(Loop.MONEY).counts["lines"] == {"booked": 1, "waiting": 1}
    audit.world.at_stripe(f"refunds/{made.provider_refund_id}/succeed")
    audit.run(Loop.OBJECTS)
    assert audit.run(Loop.MONEY).counts["lines"] == {"booked": 1, "known": 1}
    assert ("suspense", "usd") not in standing(audit)


def test_a_line_that_waits_is_met_again_for_as_long_as_a_bank_may_take() -> None:
    noon = datetime(2026, 11, 24, 12, tzinfo=UTC)
    for last_end in (None, noon - timedelta(days=1), noon - timedelta(days=60)):
        window = settlement.window(noon, last_end=last_end)
        assert window.begin == (last_end or noon) - timedelta(days=45)
        assert window.end < noon


def test_a_line_of_another_amount_is_told_and_its_difference_is_in_suspense(audit: Audit) -> None:
    paid = audit.paid()
    line = line_of(audit, paid.stripe_charge_id)
    audit.patch(line["id"], amount=9000, net=9000 - line["fee"])
    audit.run(Loop.MONEY)
    [finding] = audit.findings(is_open=True)
    assert (finding.kind, finding.ours, finding.theirs) == (FindingKind.LEDGER_IMBALANCE, paid.id, line["id"])
    assert standing(audit)[("suspense", "usd")] == 1000


def test_a_line_that_does_not_add_up_is_told(audit: Audit) -> None:
    line = line_of(audit, audit.paid().stripe_charge_id)
    audit.patch(line["id"], net=1)
    audit.run(Loop.MONEY)
    assert [(f.kind, f.theirs) for f in audit.findings(is_open=True)] == [(FindingKind.UNREADABLE, line["id"])]
    audit.patch(line["id"], net=line["net"])
    audit.run(Loop.MONEY)
    assert audit.findings(is_open=True) == []


def test_a_payment_without_a_line_after_a_day_is_told(audit: Audit) -> None:
    paid = audit.paid()
    line = line_of(audit, paid.stripe_charge_id)
    requests.delete(f"{audit.world.gateway.base_url}/_sandbox/objects/{line['id']}", timeout=5)
    assert audit.run(Loop.MONEY).counts.get("found") is None
    audit.world.age("payments", paid.id, completed_at="25 hours")
    audit.run(Loop.MONEY)
    [finding] = audit.findings(is_open=True)
    assert (finding.kind, finding.ours, finding.theirs) == (FindingKind.FEE_MISSING, paid.id, paid.stripe_charge_id)


def test_a_charge_of_nobodys_waits_three_days_and_then_goes_to_suspense(audit: Audit) -> None:
    paid = audit.paid()
    audit.forget_ours(paid)
    assert audit.run(Loop.MONEY).counts["lines"] == {"waiting": 1}
    line = line_of(audit, paid.stripe_charge_id)
    audit.patch(line["id"], created=line["created"] - 4 * 24 * 3600)
    audit.run(Loop.MONEY)
    assert standing(audit) == {("receivable", "usd"): 9710, ("suspense", "usd"): -10000, ("fees", "usd"): 290}


DAY = 24 * 3600


def age_lines(audit: Audit, source: str | None, days: int) -> None:
    """Let the lines of one thing at Stripe have been written so many days ago."""
    for line in audit.world.stripe().v1.balance_transactions.list({"source": source or ""}).data:
        audit.patch(line.id, created=line.created - days * DAY)


class TestBankDebits:
    """The balance shows a debit when it is submitted; the bank says days later whether it arrives."""

    @pytest.fixture
    def debited(self, audit: Audit) -> Payment:
        payment = audit.world.started(money=Money.of(10000, "usd"))
        audit.world.act(payment, "pay_later")
        return payment

    def test_its_line_waits_for_its_end(self, audit: Audit, debited: Payment) -> None:
        audit.world.deliver_all(debited)
        audit.world.drain()
        known = audit.world.payment(debited.id)
        assert (known.status, known.stripe_payment_intent_id is None) == (PaymentStatus.PROCESSING, False)
        # Four business days for a debit in the United States, and a run on each of them.
        age_lines(audit, known.stripe_charge_id, days=6)
        assert audit.run(Loop.MONEY).counts["lines"] == {"waiting": 1}
        audit.world.act(debited, "settle")
        audit.world.deliver_all(debited)
        audit.world.drain()
        assert audit.run(Loop.MONEY).counts["lines"] == {"booked": 1}
        assert audit.findings() == []
        assert standing(audit) == {("receivable", "usd"): 9710, ("sales", "usd"): -10000, ("fees", "usd"): 290}

    def test_one_that_was_read_before_anything_was_heard_is_sold_once(self, audit: Audit, debited: Payment) -> None:
        [intent] = audit.world.stripe().v1.payment_intents.list().data
        age_lines(audit, str(intent.latest_charge), days=4)
        audit.run(Loop.MONEY)
        [found] = audit.findings(is_open=True)
        assert (found.kind, "-100.00 USD in suspense" in found.detail) == (FindingKind.IN_SUSPENSE, True)
        audit.world.act(debited, "settle")
        audit.run(Loop.OBJECTS)
        assert audit.world.status(debited.id) is PaymentStatus.COMPLETED
        assert standing(audit) == {("receivable", "usd"): 9710, ("sales", "usd"): -10000, ("fees", "usd"): 290}
        assert audit.run(Loop.MONEY).counts["lines"] == {"known": 1}
        assert audit.findings(is_open=True) == []

    def test_one_that_does_not_arrive_leaves_nothing(self, audit: Audit, debited: Payment) -> None:
        audit.world.act(debited, "fail")
        audit.world.deliver_all(debited)
        audit.world.drain()
        assert audit.world.status(debited.id) is PaymentStatus.FAILED
        assert audit.run(Loop.MONEY).counts["lines"] == {"booked": 2}
        assert (audit.findings(), standing(audit)) == ([], {})

    def test_one_that_was_counted_as_paid_and_did_not_arrive_is_undone(self, audit: Audit, debited: Payment) -> None:
        audit.world.deliver_all(debited)
        audit.world.drain()
        told = Provenance(source=Source.OPERATOR, evidence="rev_1")
        with audit.world.app.database.transaction() as session:
            payments.apply_fact(session, debited.id, Fact.PAID, provenance=told)
        audit.world.act(debited, "fail")
        audit.world.deliver_all(debited)
        audit.world.drain()
        assert audit.run(Loop.MONEY).counts["lines"] == {"booked": 1, "waiting": 1}
        age_lines(audit, audit.world.payment(debited.id).stripe_charge_id, days=8)
        audit.run(Loop.MONEY)
        assert [(each.kind, each.payment_id) for each in audit.findings(is_open=True)] == [
            (FindingKind.IN_SUSPENSE, debited.id)
        ]
        with audit.world.app.database.transaction() as session:
            payments.undo_sale(session, debited.id, provenance=told, reason="the debit came back")
        assert standing(audit) == {}
        audit.run(Loop.MONEY)
        assert audit.findings(is_open=True) == []

    def test_one_that_is_open_for_longer_than_any_bank_takes_is_told_with_its_amount(
        self, audit: Audit, debited: Payment
    ) -> None:
        audit.world.deliver_all(debited)
        audit.world.drain()
        age_lines(audit, audit.world.payment(debited.id).stripe_charge_id, days=8)
        audit.run(Loop.MONEY)
        [found] = audit.findings(is_open=True)
        assert (found.kind, found.payment_id) == (FindingKind.IN_SUSPENSE, debited.id)
        assert "-100.00 USD in suspense" in found.detail


# Stripe's "Reporting categories" that move a balance without any payment of ours, and a word it may add.
@pytest.mark.parametrize(
    "category",
    [
        "topup",
        "transfer",
        "contribution",
        "advance",
        "network_cost",
        "tax",
        "other_adjustment",
        "risk_reserved_funds",
        "x",
    ],
)
def test_what_no_payment_explains_is_told_with_its_amount_once(audit: Audit, category: str) -> None:
    line = line_of(audit, audit.paid().stripe_charge_id)
    audit.patch(line["id"], reporting_category=category, source="tr_1")
    for _ in range(2):
        audit.run(Loop.MONEY)
        [found] = audit.findings()
        assert (found.kind, found.theirs, found.closed_at) == (FindingKind.IN_SUSPENSE, line["id"], None)
        assert f"({category} of tr_1) left -100.00 USD in suspense" in found.detail


def test_a_refund_read_before_it_was_heard_of_is_booked_once(audit: Audit) -> None:
    paid = audit.paid()
    made = audit.world.stripe().v1.refunds.create({"payment_intent": paid.stripe_payment_intent_id or ""})
    age_lines(audit, made.id, days=4)
    audit.run(Loop.MONEY)
    assert standing(audit)["suspense", "usd"] == 10000
    assert [(each.kind, each.payment_id) for each in audit.findings()] == [(FindingKind.IN_SUSPENSE, paid.id)]
    audit.run(Loop.OBJECTS)
    assert standing(audit) == {
        ("receivable", "usd"): -290,
        ("sales", "usd"): -10000,
        ("refunds", "usd"): 10000,
        ("fees", "usd"): 290,
    }
    audit.run(Loop.MONEY)
    assert audit.findings(is_open=True) == []


def test_a_refund_that_failed_and_whose_event_is_lost_is_told_after_a_week(audit: Audit) -> None:
    made = given(audit.world, audit.paid())
    audit.run(Loop.MONEY)
    audit.world.at_stripe(f"refunds/{made.provider_refund_id}/fail")
    [failure] = [
        line
        for line in audit.world.stripe().v1.balance_transactions.list({"source": made.provider_refund_id or ""}).data
        if line.amount > 0
    ]
    assert audit.run(Loop.MONEY).counts["lines"]["waiting"] == 1
    audit.patch(failure.id, created=failure.created - 8 * DAY)
    audit.run(Loop.MONEY)
    [found] = audit.findings(is_open=True)
    assert (found.kind, found.theirs) == (FindingKind.IN_SUSPENSE, failure.id)
    audit.run(Loop.OBJECTS)
    assert standing(audit) == {("receivable", "usd"): 9710, ("sales", "usd"): -10000, ("fees", "usd"): 290}
    audit.run(Loop.MONEY)
    assert audit.findings(is_open=True) == []


def test_a_line_that_was_booked_alone_meets_its_sale_at_any_age(audit: Audit) -> None:
    paid = audit.paid()
    line = balance.line(line_of(audit, paid.stripe_charge_id))
    assert line is not None
    # As the release before this one left them: booked twice, and never looked at again.
    with audit.world.app.database.transaction() as session:
        old = replace(line, created_at=line.created_at - timedelta(days=400))
        journal.record_line(session, STRIPE, old, payment_id=None)
    assert standing(audit)["receivable", "usd"] == 19710
    requests.delete(f"{audit.world.gateway.base_url}/_sandbox/objects/{line.id}", timeout=5)
    assert audit.run(Loop.MONEY).counts["lines"] == {"cleared": 1}
    assert standing(audit) == {("receivable", "usd"): 9710, ("sales", "usd"): -10000, ("fees", "usd"): 290}


def test_whoever_holds_a_payment_makes_its_line_wait_and_no_run(audit: Audit) -> None:
    paid = audit.paid()
    with audit.world.app.database.transaction() as session:
        payments.locked(session, paid.id)
        assert audit.run(Loop.MONEY).counts["lines"] == {"waiting": 1}
    assert audit.run(Loop.MONEY).counts["lines"] == {"booked": 1}


def test_a_dry_run_books_nothing(audit: Audit) -> None:
    audit.paid()
    before = standing(audit)
    audit.run(Loop.MONEY, dry_run=True)
    assert (standing(audit), audit.world.rows(SettlementLine)) == (before, [])


class TestPayouts:
    def test_a_payout_is_the_sum_of_its_lines_and_leaves_the_receivable(self, audit: Audit) -> None:
        audit.paid(10000)
        audit.paid(5000)
        [payout] = audit.world.at_stripe("payouts")["payouts"]
        audit.run(Loop.MONEY)
        assert audit.findings() == []
        assert payout["amount"] == 15000 - 435
        assert standing(audit) == {("sales", "usd"): -15000, ("fees", "usd"): 435, ("payouts", "usd"): 14565}
        lines = {line.payout for line in audit.world.rows(SettlementLine)}
        assert lines == {payout["id"]}

    def test_one_that_is_not_the_sum_of_its_lines_is_told(self, audit: Audit) -> None:
        audit.paid()
        [payout] = audit.world.at_stripe("payouts")["payouts"]
        audit.patch(payout["id"], amount=payout["amount"] + 1)
        audit.run(Loop.MONEY)
        [finding] = audit.findings(is_open=True)
        assert (finding.kind, finding.theirs) == (FindingKind.PAYOUT_SUM_MISMATCH, payout["id"])

    def test_one_that_the_bank_returned_is_back_in_the_receivable(self, audit: Audit) -> None:
        audit.paid(10000)
        [payout] = audit.world.at_stripe("payouts")["payouts"]
        audit.world.at_stripe(f"payouts/{payout['id']}/fail")
        with_mail = Audit(world=audit.world.with_settings(operator_mail="operators@shop.pk"))
        with_mail.run(Loop.MONEY)
        [finding] = audit.findings(is_open=True)
        assert (finding.kind, finding.theirs) == (FindingKind.PAYOUT_FAILED, payout["id"])
        assert severity_of(finding.kind) is Severity.CRITICAL
        with_mail.run(Loop.MONEY)
        mails = [(mail.about, mail.recipient) for mail in audit.world.emails() if mail.kind is EmailKind.FINDING]
        assert mails == [(finding.id, "operators@shop.pk")]
        assert standing(audit) == {("receivable", "usd"): 9710, ("sales", "usd"): -10000, ("fees", "usd"): 290}

    def test_one_that_the_bank_returned_is_told_when_its_event_comes_and_not_a_day_later(self, audit: Audit) -> None:
        audit.paid(10000)
        [payout] = audit.world.at_stripe("payouts")["payouts"]
        audit.patch(payout["id"], created=int((datetime.now(UTC) - timedelta(hours=1)).timestamp()))
        audit.world.at_stripe(f"payouts/{payout['id']}/fail")
        world = audit.world.with_settings(operator_mail="operators@shop.pk")
        [event] = [each for each in world.every_event() if each["type"] == "payout.failed"]
        for _ in range(2):
            world.deliver(event)
            world.drain()
        [notice] = [each for each in world.notices() if each.kind == "payout.failed"]
        [job] = [each for each in world.rows(Job) if each.subject == notice.id and each.kind == Kind.RECONCILE_MONEY]
        # Such a run leaves out the last ten minutes, in which this payout may have been made.
        assert notice.state is NoticeState.APPLIED
        assert timedelta(minutes=10) < job.due_at - notice.received_at < timedelta(minutes=15)
        world.make_due()
        world.drain()
        [finding] = audit.findings(is_open=True)
        assert (finding.kind, finding.theirs) == (FindingKind.PAYOUT_FAILED, payout["id"])
        assert [mail.about for mail in world.emails() if mail.kind is EmailKind.FINDING] == [finding.id]


class TestInAnotherCurrency:
    @pytest.fixture
    def abroad(self, world: World) -> Any:
        """A Stripe account that settles in dollars."""
        running = start_gateway(GatewayConfig(webhook_secret=WEBHOOK_SECRET, settlement_currency="usd"))
        yield Audit(world=world.at(running))
        running.stop()

    def test_a_charge_is_converted_and_nothing_of_it_is_left_in_its_own_currency(self, abroad: Audit) -> None:
        abroad.world.paid(money=Money.of(10000, "eur"))
        abroad.run(Loop.MONEY)
        assert abroad.findings() == []
        fee = round(10800 * 29 / 1000)
        assert standing(abroad) == {
            ("receivable", "usd"): 10800 - fee,
            ("sales", "eur"): -10000,
            ("conversion", "eur"): 10000,
            ("conversion", "usd"): -10800,
            ("fees", "usd"): fee,
        }

    @pytest.mark.parametrize("changes", [{"exchange_rate": 1.2}, {"exchange_rate": None}])
    def test_a_rate_that_does_not_explain_the_amount_is_told(self, abroad: Audit, changes: dict[str, Any]) -> None:
        paid = abroad.world.paid(money=Money.of(10000, "eur"))
        line = line_of(abroad, paid.stripe_charge_id)
        abroad.patch(line["id"], **changes)
        abroad.run(Loop.MONEY)
        [finding] = abroad.findings(is_open=True)
        assert (finding.kind, finding.ours) == (FindingKind.FX_UNEXPLAINED, paid.id)
