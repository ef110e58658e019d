"""However notices are divided into batches, and whoever applies them: the rows are those of one after the other."""

import secrets
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text, update
from structlog.testing import capture_logs

from payproc import jobs
from payproc.database.models import (
    Dispute,
    Email,
    Job,
    JobState,
    Journal,
    LedgerEntry,
    Notice,
    Payment,
    PaymentEvent,
    Refund,
    Review,
)
from payproc.domain.states import Effect, Fact, PaymentStatus
from payproc.jobs import Kind
from tasks import runner
from tests.support.world import World

PAYMENTS = 3

Told = tuple[str, dict[str, Any]]


def a_session(**changes: Any) -> dict[str, Any]:
    found = {"object": "checkout.session", "id": "cs_{}", "payment_intent": "pi_{}", "amount_total": 1999}
    return (
        found
        | {"currency": "usd", "livemode": False, "status": "complete", "metadata": {"payment_id": "{id}"}}
        | changes
    )


def an_intent(**changes: Any) -> dict[str, Any]:
    found = {"object": "payment_intent", "id": "pi_{}", "amount_received": 1999, "currency": "usd", "livemode": False}
    return found | {"metadata": {"payment_id": "{id}"}} | changes


def a_refund(**changes: Any) -> dict[str, Any]:
    found = {"object": "refund", "id": "re_{}", "payment_intent": "pi_{}", "charge": "ch_{}", "currency": "usd"}
    return found | {"amount": 1999, "status": "succeeded", "metadata": {}} | changes


def a_dispute(**changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        "object": "dispute",
        "id": "du_{}",
        "payment_intent": "pi_{}",
        "charge": "ch_{}",
        "currency": "usd",
    }
    found |= {"amount": 1999, "status": "needs_response", "reason": "fraudulent", "balance_transactions": []}
    return found | {"evidence_details": {"due_by": None}, "is_charge_refundable": False, "metadata": {}} | changes


# All that may be said of one payment; "{}" is its reference and "{id}" its id.
SAID: Sequence[Told] = (
    ("payment_intent.payment_failed", an_intent(status="requires_payment_method", last_payment_error={"code": "no"})),
    ("payment_intent.succeeded", an_intent(status="succeeded", latest_charge="ch_{}")),
    ("checkout.session.completed", a_session(payment_status="paid")),
    ("checkout.session.completed", a_session(payment_status="paid", amount_total=1)),
    ("checkout.session.completed", a_session(payment_status="paid", id="cs_other_{}")),
    ("checkout.session.expired", a_session(payment_status="unpaid", status="expired", payment_intent=None)),
    ("checkout.session.completed", a_session(payment_status="a newer word")),
    ("refund.created", a_refund(amount=500, id="re_part_{}")),
    ("refund.created", a_refund()),
    ("refund.updated", a_refund(id="re_part_{}", amount=500, status="failed")),
    ("refund.created", a_refund(amount=None)),
    ("charge.dispute.created", a_dispute()),
    ("radar.early_fraud_warning.created", {"object": "fraud", "payment_intent": "pi_{}", "charge": "ch_{}"}),
    ("payment_intent.succeeded", an_intent(id="pi_foreign_{}", status="succeeded", metadata={})),
    ("payment_intent.succeeded", an_intent(id="pi_orphan_{}", status="succeeded", metadata={"payment_id": "pay_0"})),
)


def filled(value: Any, payment: Payment) -> Any:
    """Write a payment's names into what is said."""
    match value:
        case str():
            return value.replace("{}", payment.reference).replace("{id}", payment.id)
        case dict():
            return {key: filled(each, payment) for key, each in value.items()}
        case _:
            return value


def deliver(world: World, payment: Payment, place: int) -> str:
    kind, found = SAID[place]
    key = f"evt_{secrets.token_hex(8)}"
    event = {"id": key, "object": "event", "type": kind, "livemode": False, "created": 1700000000 + place}
    stored = world.deliver(event | {"data": {"object": filled(found, payment)}})
    assert stored is not None
    return stored


def open_payments(world: World) -> list[Payment]:
    found = [world.checkout() for _ in range(PAYMENTS)]
    with world.app.database.transaction() as session:
        session.execute(text("UPDATE jobs SET state = 'done' WHERE kind = 'payment.start'"))
        for payment in found:
            session.get_one(Payment, payment.id).stripe_session_id = f"cs_{payment.reference}"
    return found


def dispatched(world: World, notices: Sequence[str]) -> list[tuple[str, UUID]]:
    """Lease the jobs of these notices as the relay would, in the order in which they came; no other work is done."""
    with world.app.database.transaction() as session:
        leased = session.execute(
            update(Job)
            .where(Job.subject.in_(notices), Job.kind == Kind.APPLY_NOTICE, Job.state == JobState.READY)
            .values(lease_token=uuid4(), leased_until=text("now() + interval '1 minute'"))
            .returning(Job.subject, Job.id, Job.lease_token)
        )
        rows = sorted(leased.all(), key=lambda row: notices.index(row.subject))
    return [(row.id, row.lease_token) for row in rows if row.lease_token]


def apply(world: World, notices: Sequence[str]) -> None:
    if sent := dispatched(world, notices):
        runner.run(world.app, sent)


def rows_of(world: World, payment: Payment) -> dict[str, Any]:
    """All that is written about a payment, in words that are the same for another with the same story."""

    def plain(value: object) -> str:
        return str(value).replace(payment.reference, "{}").replace(payment.id, "{id}")

    with world.app.database.transaction() as session:
        fresh = session.get_one(Payment, payment.id)
        events = select(PaymentEvent).where(PaymentEvent.payment_id == payment.id).order_by(PaymentEvent.number)
        refunds = session.scalars(select(Refund).where(Refund.payment_id == payment.id)).all()
        disputes = session.scalars(select(Dispute).where(Dispute.payment_id == payment.id)).all()
        names = {refund.id: f"refund {plain(refund.provider_refund_id)}" for refund in refunds}
        names |= {dispute.id: f"dispute {plain(dispute.provider_dispute_id)}" for dispute in disputes}

        def named(value: str) -> str:
            for known, name in names.items():
                value = value.replace(known, name)
            return plain(value)

        entries = (
            select(Journal.key, LedgerEntry.account, LedgerEntry.amount_minor)
            .join(LedgerEntry, LedgerEntry.journal_id == Journal.id)
            .where(Journal.payment_id == payment.id)
        )
        subjects = [payment.id, *names]
        mails = session.scalars(select(Email).where(Email.payment_id == payment.id)).all()
        about = select(Job).where(Job.subject.in_([*subjects, *(mail.id for mail in mails)]))
        moves = [(event.fact, event.effect, event.from_status, event.to_status) for event in session.scalars(events)]
        asked = select(Review).where(Review.payment_id == payment.id)
        return {
            "status": fresh.status,
            "names": [plain(fresh.stripe_payment_intent_id), plain(fresh.stripe_charge_id)],
            "failure": fresh.failure_code,
            "events": moves,
            "refunds": sorted((names[refund.id], refund.status, refund.amount_minor) for refund in refunds),
            "disputes": sorted((names[dispute.id], dispute.status) for dispute in disputes),
            "books": sorted((named(key), account, amount) for key, account, amount in session.execute(entries)),
            "mails": sorted((mail.kind, named(mail.about)) for mail in mails),
            "jobs": sorted((job.kind, job.state) for job in session.scalars(about)),
            "reviews": sorted(
                (review.kind, named(review.subject), review.resolved_at is None) for review in session.scalars(asked)
            ),
        }


def notices_of(world: World, notices: Sequence[str]) -> list[tuple[str, bool, str | None]]:
    """How each notice stands, and its job."""
    with world.app.database.transaction() as session:
        found = session.scalars(select(Notice).where(Notice.id.in_(notices))).all()
        states = dict(session.execute(select(Job.subject, Job.state).where(Job.subject.in_(notices))).all())
    stand = {notice.id: (notice.state, notice.payment_id is not None, states.get(notice.id)) for notice in found}
    return [stand[notice] for notice in notices]


story = st.lists(st.tuples(st.integers(0, PAYMENTS - 1), st.integers(0, len(SAID) - 1)), min_size=4, max_size=24)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), said=story)
def test_batches_leave_the_rows_that_one_by_one_leaves(
    world: World, data: st.DataObject, said: list[tuple[int, int]]
) -> None:
    cuts = data.draw(st.lists(st.booleans(), min_size=len(said), max_size=len(said)))
    alone, together = open_payments(world), open_payments(world)
    one_by_one = [deliver(world, alone[which], place) for which, place in said]
    for notice in one_by_one:
        apply(world, [notice])
    in_batches = [deliver(world, together[which], place) for which, place in said]
    batch: list[str] = []
    with capture_logs() as lines:
        for notice, cut in zip(in_batches, cuts, strict=True):
            batch.append(notice)
            if cut:
                apply(world, batch)
                batch = []
        apply(world, batch)
    assert not [line for line in lines if line["log_level"] in ("warning", "error")], "no batch went one by one"

    assert notices_of(world, in_batches) == notices_of(world, one_by_one)
    for first, second in zip(alone, together, strict=True):
        assert rows_of(world, second) == rows_of(world, first)
    # What was parked has its payment by now, or never will.
    for notice in one_by_one:
        apply(world, [notice])
    apply(world, in_batches)
    assert notices_of(world, in_batches) == notices_of(world, one_by_one)
    for first, second in zip(alone, together, strict=True):
        assert rows_of(world, second) == rows_of(world, first)
    leave_work(world)


def leave_work(world: World) -> None:
    """A payment that is still open at the end has somebody who asks about it."""
    with world.app.database.transaction() as session:
        for payment in session.scalars(select(Payment).where(Payment.status.in_(["pending", "processing"]))).all():
            jobs.stage(session, Kind.INQUIRE_PAYMENT, payment.id, method=payment.payment_method)


PAID = [1, 2]  # what makes a payment completed
OF_THE_PAID = [*PAID, 2, 8, 11]  # and what may come at the same time: a duplicate, its refund, a dispute


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_two_workers_on_notices_of_the_same_payments_leave_them_right(world: World, data: st.DataObject) -> None:
    said = [(which, place) for which in range(PAYMENTS) for place in OF_THE_PAID]
    order = data.draw(st.permutations(said))
    cut = data.draw(st.integers(1, len(said) - 1))
    payments = open_payments(world)
    notices = [deliver(world, payments[which], place) for which, place in order]
    # Both begin at once, with notices of all of them.
    with ThreadPoolExecutor(2) as workers:
        list(workers.map(lambda batch: apply(world, batch), [notices[:cut], notices[cut:]]))
    for _ in range(2):
        apply(world, notices)

    assert Counter(state for state, _, _ in notices_of(world, notices)) == {"applied": len(said)}
    for payment in payments:
        found = rows_of(world, payment)
        assert found["status"] is PaymentStatus.REFUNDED
        moved = [fact for fact, effect, _, _ in found["events"] if effect is Effect.MOVED]
        assert moved == [Fact.CREATED, Fact.PAID, Fact.REFUNDED]
        assert [mail for mail, _ in found["mails"]] == ["receipt", "refund"]
        assert sum(amount for _, account, amount in found["books"] if account == "receivable") == 0
        assert len(found["books"]) == 4
    crashed = [job.kind for job in world.rows(Job) if job.crashes]
    assert crashed == []


@pytest.mark.parametrize("batch", [1, 2])
def test_a_refund_told_before_its_payment_was_paid_is_counted_when_it_is(world: World, batch: int) -> None:
    [payment, *_] = open_payments(world)
    notices = [deliver(world, payment, place) for place in (8, 1)]
    for first in range(0, len(notices), batch):
        apply(world, notices[first : first + batch])
    # The refund was parked, and what names its payment has woken it.
    assert notices_of(world, notices)[0][0] == "parked"
    woken = select(Job.due_at <= text("now()")).where(Job.subject == notices[0])
    with world.app.database.transaction() as session:
        assert session.scalar(woken) is True
    apply(world, notices)
    assert rows_of(world, payment)["status"] is PaymentStatus.REFUNDED
    leave_work(world)
