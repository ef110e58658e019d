"""The wallets: what is late is asked about, what ended is sampled, and only the gateway's own answer moves anything."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from payproc import jobs
from payproc.database.models import FindingKind, Job, Loop, Payment, PaymentEvent, ReconciliationRun, Refund, RunState
from payproc.domain.payment_methods import PaymentMethod
from payproc.domain.provenance import Source
from payproc.domain.states import PaymentStatus, RefundStatus
from payproc.operations import clock
from payproc.providers.easy_paisa import EASY_PAISA
from payproc.providers.jazz_cash import JAZZ_CASH
from payproc.providers.listing import Window
from payproc.reconcile import runs, schedule
from payproc.reconcile.objects import inquiries as asking
from payproc.reconcile.objects.inquiries import Sampling
from sandbox.wallets.transactions import State
from tests.payproc.reconcile.wallets.audit import EVERY_ONE, WalletAudit
from tests.support.waiting import wait_until
from tests.support.wallet_world import DECLINED, NEVER

both = pytest.mark.parametrize("method", [JAZZ_CASH, EASY_PAISA])
all_sampled = pytest.mark.parametrize("sampling", [EVERY_ONE], ids=["all"])


@both
def test_a_payment_whose_notice_was_lost_is_completed_and_says_who_said_so(
    audit: WalletAudit, method: PaymentMethod
) -> None:
    world = audit.world
    payment = world.begin(method, phone=NEVER)
    audit.alter(payment, state=State.PAID, debits=1)
    audit.overdue(payment)
    run = audit.run(method)

    assert world.status(payment.id) is PaymentStatus.COMPLETED
    [finding] = audit.findings()
    assert (finding.kind, finding.ours) == (FindingKind.MISSED_EVENT, payment.id)
    assert finding.repaired_at is not None
    told = [event for event in world.events(payment.id) if event.source is Source.RECONCILE]
    assert [(event.fact, event.evidence) for event in told] == [("paid", run.id)]
    world.drain()
    assert len(world.emails()) == 1


@both
def test_a_payment_past_its_end_is_ended_as_its_gateway_says(audit: WalletAudit, method: PaymentMethod) -> None:
    payment = audit.world.begin(method, phone=NEVER)
    audit.alter(payment, state=State.EXPIRED)
    audit.overdue(payment)
    audit.run(method)
    assert audit.kinds() == [FindingKind.STUCK]
    assert audit.world.status(payment.id) in (PaymentStatus.CANCELLED, PaymentStatus.FAILED)


def test_what_is_open_there_too_is_nothing_and_what_is_not_over_is_not_asked_about(audit: WalletAudit) -> None:
    late, young = audit.world.begin(JAZZ_CASH, phone=NEVER), audit.world.begin(JAZZ_CASH, phone=NEVER)
    audit.overdue(late)
    before = len(audit.inquiries())
    run = audit.run()
    assert audit.inquiries()[before:] == [late.reference]
    assert (audit.findings(), run.calls) == ([], 1)
    assert {audit.world.status(payment.id) for payment in (late, young)} == {PaymentStatus.PENDING}


@all_sampled
def test_where_both_agree_nothing_is_found(audit: WalletAudit) -> None:
    audit.paid()
    declined = audit.world.begin(JAZZ_CASH, phone=DECLINED)
    audit.world.becomes(declined, "failed")
    run = audit.run()
    assert (run.state, audit.findings()) == (RunState.DONE, [])
    assert run.counts["compared"] == {"open payments": 0, "payments in question": 0, "a sample of the ended": 2}


@all_sampled
@both
def test_money_that_went_back_at_the_gateway_becomes_a_refund(audit: WalletAudit, method: PaymentMethod) -> None:
    paid = audit.paid(method)
    audit.alter(paid, state=State.REVERSED)
    audit.run(method)

    [finding] = audit.findings()
    assert (finding.kind, finding.ours) == (FindingKind.STATUS_MISMATCH, paid.id)
    assert finding.repaired_at is not None
    assert audit.world.status(paid.id) is PaymentStatus.REFUNDED
    [refund] = audit.world.rows(Refund)
    assert (refund.amount_minor, refund.status) == (125050, RefundStatus.SUCCEEDED)
    audit.run(method)
    assert len(audit.findings()) == 1


@all_sampled
def test_what_was_paid_after_it_failed_here_is_completed(audit: WalletAudit) -> None:
    payment = audit.world.begin(JAZZ_CASH, phone=DECLINED)
    audit.world.becomes(payment, "failed")
    audit.alter(payment, state=State.PAID, reason=None, debits=1)
    audit.run()
    assert audit.kinds() == [FindingKind.MISSED_EVENT]
    assert audit.world.status(payment.id) is PaymentStatus.COMPLETED


@all_sampled
@pytest.mark.parametrize(
    ("changes", "kind"),
    [({"state": State.FAILED}, FindingKind.LOCAL_AHEAD), ({"told_amount": 125051}, FindingKind.AMOUNT_MISMATCH)],
)
def test_what_the_gateway_says_otherwise_of_a_paid_payment_is_told_and_not_touched(
    audit: WalletAudit, changes: dict[str, object], kind: FindingKind
) -> None:
    paid = audit.paid()
    audit.alter(paid, **changes)
    before = len(audit.world.rows(PaymentEvent))
    audit.run()

    [finding] = audit.findings(is_open=True)
    assert (finding.kind, finding.ours, finding.repaired_at) == (kind, paid.id, None)
    assert audit.world.status(paid.id) is PaymentStatus.COMPLETED
    assert len(audit.world.rows(PaymentEvent)) == before
    [review] = audit.world.reviews()
    assert (review.subject, review.payment_id) == (finding.id, paid.id)


@all_sampled
def test_a_difference_stays_until_the_gateway_agrees_whatever_the_sample(audit: WalletAudit) -> None:
    paid = audit.paid()
    audit.alter(paid, state=State.FAILED)
    audit.run()
    audit = replace(audit, sampling=Sampling(below=""))
    audit.run()
    assert audit.kinds(is_open=True) == [FindingKind.LOCAL_AHEAD]
    assert len(audit.findings()) == 1

    audit.world.break_wallet("jazzcash inquiry", "html_200")
    audit.run()
    assert audit.kinds(is_open=True) == [FindingKind.LOCAL_AHEAD]
    audit.alter(paid, state=State.PAID)
    audit.run()
    assert audit.findings(is_open=True) == []
    [review] = audit.world.reviews()
    assert review.resolution == "no longer there"


@all_sampled
def test_a_question_that_is_older_than_what_is_looked_at_is_closed_by_an_answer_too(audit: WalletAudit) -> None:
    paid = audit.paid()
    audit.alter(paid, state=State.FAILED)
    audit.run()
    with audit.world.app.database.transaction() as session:
        session.execute(text("UPDATE reconciliation_findings SET subject_at = subject_at - interval '90 days'"))
    audit.world.age("payments", paid.id, created_at="90 days", completed_at="90 days")
    audit.run()
    assert audit.kinds(is_open=True) == [FindingKind.LOCAL_AHEAD]
    audit.alter(paid, state=State.PAID)
    audit.run()
    assert audit.findings(is_open=True) == []


def test_the_sample_is_the_same_when_a_run_is_resumed_and_another_in_the_next(audit: WalletAudit) -> None:
    half = asking.steps(Sampling(below="8", at_once=2))
    payments = [audit.paid(amount_minor=1000 + each) for each in range(12)]
    everyone = {payment.reference for payment in payments}

    def asked(period: str) -> list[str]:
        before = len(audit.inquiries())
        now = datetime.now(UTC)
        window = Window(begin=now - timedelta(days=1), end=now + timedelta(seconds=2))
        run = runs.begin(audit.world.app, Loop.WALLETS, JAZZ_CASH, period=period, window=window)
        while run.state is RunState.RUNNING:
            # One page a time, each as by a worker of its own.
            run = runs.resume(audit.world.app, run.id, half, enough=lambda: True)
        return audit.inquiries()[before:]

    # Whom an hour draws follows from identifiers that are new in every run of this test. Twelve heads in
    # eight throws each are missed once in twenty runs; in sixty-four never: it ends with the first that has all.
    drawn: list[list[str]] = []
    while not everyone <= set().union(*drawn) and len(drawn) < 64:
        drawn.append(asked(f"hour {len(drawn)}"))
    assert all(len(each) == len(set(each)) for each in drawn)
    assert min(len(each) for each in drawn) < 12
    assert len({tuple(sorted(each)) for each in drawn}) > 1
    assert set().union(*drawn) == everyone


@pytest.mark.parametrize("sampling", [replace(EVERY_ONE, most=3, at_once=2)], ids=["three"])
def test_a_run_asks_about_some_hundreds_at_most(audit: WalletAudit) -> None:
    for each in range(5):
        audit.paid(amount_minor=1000 + each)
    assert audit.run().counts["compared"]["a sample of the ended"] == 3


@all_sampled
@pytest.mark.parametrize("change", ["environment = 'production'", "live_mode = NOT live_mode"])
def test_a_payment_of_another_environment_or_mode_is_never_asked_about(audit: WalletAudit, change: str) -> None:
    paid, waiting = audit.paid(), audit.world.begin(JAZZ_CASH, phone=NEVER)
    audit.overdue(waiting)
    with audit.world.app.database.transaction() as session:
        session.execute(text(f"UPDATE payments SET {change}"))  # noqa: S608 (a test's own words)
    before = len(audit.inquiries())
    assert audit.run().calls == 0
    assert audit.inquiries()[before:] == []
    assert audit.world.status(paid.id) is PaymentStatus.COMPLETED


def test_a_dry_run_tells_what_it_would_do_and_does_nothing(audit: WalletAudit) -> None:
    payment = audit.world.begin(JAZZ_CASH, phone=NEVER)
    audit.alter(payment, state=State.PAID, debits=1)
    audit.overdue(payment)
    run = audit.run(dry_run=True)
    assert audit.world.status(payment.id) is PaymentStatus.PENDING
    assert (audit.findings(), audit.world.reviews()) == ([], [])
    assert [(row["kind"], row["ours"], row["repair"]) for row in run.sample] == [
        ("missed_event", payment.id, "would be made")
    ]


def tick(audit: WalletAudit) -> None:
    with audit.world.app.database.transaction() as session:
        clock.tick(session, jobs.Kind.RECONCILE_WALLETS, now=datetime.now(UTC))


def late_and_paid(audit: WalletAudit, method: PaymentMethod) -> Payment:
    payment = audit.world.begin(method, phone=NEVER)
    audit.alter(payment, state=State.PAID, debits=1)
    audit.overdue(payment)
    return payment


def test_the_clock_asks_both_wallets_and_no_provider_that_lists(audit: WalletAudit) -> None:
    world = audit.world
    assert schedule.asked_methods(world.app) == [JAZZ_CASH, EASY_PAISA]
    late = [late_and_paid(audit, method) for method in (JAZZ_CASH, EASY_PAISA)]
    tick(audit)
    world.drain()
    assert [world.status(payment.id) for payment in late] == [PaymentStatus.COMPLETED] * 2
    assert sorted(run.provider for run in world.rows(ReconciliationRun)) == [EASY_PAISA, JAZZ_CASH]


def test_a_gateway_that_rests_is_waited_for_and_keeps_the_other_not_waiting(audit: WalletAudit) -> None:
    world = audit.world
    sick, well = late_and_paid(audit, JAZZ_CASH), late_and_paid(audit, EASY_PAISA)
    world.break_wallet("jazzcash inquiry", "rate_limit_429", times=None)
    tick(audit)
    world.drain()
    assert (world.status(sick.id), world.status(well.id)) == (PaymentStatus.PENDING, PaymentStatus.COMPLETED)
    [job] = [job for job in world.rows(Job) if job.kind == jobs.Kind.RECONCILE_WALLETS]
    assert (job.state, "too many requests" in job.last_error) == ("ready", True)

    world.mend_stripe()

    def healed() -> bool:
        with world.app.database.transaction() as session:
            session.execute(text("UPDATE jobs SET due_at = now() WHERE kind = 'reconcile.wallets' AND state = 'ready'"))
        world.drain()
        return world.status(sick.id) is PaymentStatus.COMPLETED

    wait_until(healed, what="the run carried on")
    assert audit.kinds() == [FindingKind.MISSED_EVENT] * 2
