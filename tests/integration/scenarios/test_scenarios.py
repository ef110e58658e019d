"""Fifteen things that go wrong at every payment processor, a test or more for each, by its number and name.

Rows 4, 7, 8 and 14 go on in test_scenarios_of_wallets.py; real processes die in tests/faults/.
"""

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import requests
import stripe
from flask.testing import FlaskClient
from sqlalchemy import text

from payproc import jobs
from payproc.database.models import (
    FindingKind,
    Job,
    JobState,
    Loop,
    NoticeState,
    Payment,
    ReconciliationFinding,
    ReviewKind,
    User,
)
from payproc.domain.money import Money
from payproc.domain.states import Effect, Fact, PaymentStatus, RefundStatus
from payproc.errors import BadSignature, Conflict
from payproc.flows.inbox.apply import replay_notice
from payproc.jobs.leases import MOST_CRASHES
from payproc.operations import actions, clock
from payproc.providers.listing import Window
from payproc.providers.stripe import STRIPE
from payproc.reconcile import runs
from payproc.reconcile.objects import steps
from payproc.records.identity.users import issue_key
from tests.integration.scenarios.ground_rules import check_ground_rules, debited_at_stripe
from tests.support.after_payment import given, refund, tell
from tests.support.configuration import WEBHOOK_SECRET
from tests.support.faults.crashes import live_and_die
from tests.support.world import World
from web.app import create_app

PREFIX = "/api/v1/payments"
SESSIONS = "POST /v1/checkout/sessions"
WHERE_TO = {"success_url": "https://example.com/thanks", "cancel_url": "https://example.com/basket"}
HUNDRED = Money.of(10000, "usd")


@pytest.fixture(autouse=True)
def ground_rules(world: World) -> Iterator[None]:
    yield
    check_ground_rules(world, debited=debited_at_stripe(world))


def moves(world: World, payment: Payment) -> Counter[Fact]:
    return Counter(event.fact for event in world.events(payment.id) if event.effect is Effect.MOVED)


def told(world: World, payment: Payment, kind: str) -> dict[str, Any]:
    [event] = [event for event in world.stripe_events(payment) if event["type"] == kind]
    return event


# --- 1 ----------------------------------------------------------------------------------------------------------------


def test_triple_hit(world: World, posted: list[EmailMessage]) -> None:
    payment = world.started()
    world.act(payment, "pay")
    event = told(world, payment, "checkout.session.completed")
    world.make_due()
    with ThreadPoolExecutor(8) as everybody:
        delivered = [everybody.submit(world.deliver, event) for _ in range(20)]
        # The poll is due, so one of these asks Stripe while the others apply the notice.
        working = [everybody.submit(world.drain) for _ in range(3)]
        looking = [everybody.submit(world.payment, payment.id) for _ in range(5)]
        assert len([found for each in delivered if (found := each.result())]) == 1
        for worked in working:
            worked.result()
        for looked in looking:
            looked.result()
    world.make_due()
    world.drain()

    assert moves(world, payment)[Fact.PAID] == 1
    assert len(posted) == 1


# --- 2 ----------------------------------------------------------------------------------------------------------------


def test_webhook_before_our_create_returned(world: World) -> None:
    payment = world.checkout()
    world.break_stripe(SESSIONS, "timeout_after", times=2, seconds=2)
    world.drain_once()
    assert world.payment(payment.id).stripe_session_id is None
    [session_id] = world.sessions_at_stripe()
    world.at_stripe(f"sessions/{session_id}/pay")
    world.deliver_all(payment)
    world.drain()

    assert world.status(payment.id) is PaymentStatus.COMPLETED
    world.make_due()
    world.drain()
    assert world.sessions_at_stripe() == [session_id]


def test_webhook_about_nothing_of_ours_is_parked_and_then_a_persons(world: World) -> None:
    paid = world.paid()
    event = told(world, paid, "checkout.session.completed") | {"id": "evt_orphan"}
    names = {"id": "cs_orphan", "payment_intent": "pi_orphan", "metadata": {"payment_id": "pay_orphan"}}
    event["data"]["object"] |= names | {"client_reference_id": "pay_orphan"}
    notice_id = world.deliver(event)
    world.drain()
    assert notice_id is not None
    assert {notice.id: notice.state for notice in world.notices()}[notice_id] is NoticeState.PARKED

    world.age("notices", notice_id, received_at="16 minutes")
    world.make_due()
    world.drain()
    assert [review.kind for review in world.reviews()] == [ReviewKind.ORPHAN_NOTICE]


# --- 3 ----------------------------------------------------------------------------------------------------------------


def test_provider_timeout_after_the_charge_succeeded(world: World) -> None:
    payment = world.checkout()
    world.break_stripe(SESSIONS, "timeout_after", times=2, seconds=2)
    world.drain_once()
    assert world.status(payment.id) is PaymentStatus.PENDING
    world.make_due()
    world.drain()

    assert len({request["idempotency_key"] for request in world.requests_to(SESSIONS)}) == 1
    assert world.sessions_at_stripe() == [world.payment(payment.id).stripe_session_id]
    world.act(world.payment(payment.id), "pay")
    world.deliver_all(payment)
    world.drain()
    assert moves(world, payment)[Fact.PAID] == 1


# --- 4 ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("commit", [2, 3, 4, 5])
def test_sigkill_between_reply_and_commit(world: World, commit: int, after: bool) -> None:
    payment = world.checkout()
    assert live_and_die(world, commit=commit, after=after)
    world.drain()

    assert world.sessions_at_stripe() == [world.payment(payment.id).stripe_session_id]
    assert len({request["idempotency_key"] for request in world.requests_to(SESSIONS)}) == 1


# --- 5 ----------------------------------------------------------------------------------------------------------------


def test_two_partial_refunds_racing(world: World) -> None:
    paid = world.paid(money=HUNDRED)

    def ask(_: int) -> str:
        try:
            return refund(world, paid, 6000).id
        except Conflict as refused:
            return refused.code

    with ThreadPoolExecutor(2) as both:
        answers = sorted(both.map(ask, range(2)))
    assert answers[1] == "refund_exceeds_payment"
    intent = world.payment(paid.id).stripe_payment_intent_id
    assert intent is not None
    world.stripe().v1.refunds.create({"payment_intent": intent, "amount": 5000})
    tell(world, paid, "refund.")
    world.drain()

    # By hand went fifty before ours went: Stripe refuses our sixty, and they are free again.
    there = world.stripe().v1.refunds.list({"payment_intent": intent}).data
    assert [each.amount for each in there] == [5000]
    with world.app.database.transaction() as session:
        by_status = text("SELECT status, sum(amount_minor) FROM refunds GROUP BY status")
        assert {tuple(row) for row in session.execute(by_status)} == {("cancelled", 6000), ("succeeded", 5000)}
    assert given(world, paid, 5000).status is RefundStatus.SUCCEEDED
    assert world.status(paid.id) is PaymentStatus.REFUNDED


# --- 6 ----------------------------------------------------------------------------------------------------------------


def test_late_truth_wins(world: World) -> None:
    payment = world.started()
    world.act(payment, "expire")
    world.deliver_all(payment)
    world.drain()
    assert world.status(payment.id) is PaymentStatus.CANCELLED

    paid = {"status": "complete", "payment_status": "paid"}
    world.at_stripe(f"objects/{payment.stripe_session_id}", **paid)
    late = told(world, payment, "checkout.session.expired")
    late |= {"id": "evt_late", "type": "checkout.session.completed"}
    late["data"]["object"] |= paid
    world.deliver(late)
    world.drain()
    assert world.status(payment.id) is PaymentStatus.COMPLETED
    assert [review.kind for review in world.reviews()] == [ReviewKind.PAID_LATE]


def test_late_failure_after_success_changes_nothing(world: World) -> None:
    payment = world.paid()
    late = told(world, payment, "checkout.session.completed")
    late["data"]["object"]["payment_status"] = "unpaid"
    world.deliver(late | {"id": "evt_late", "type": "checkout.session.async_payment_failed"})
    world.drain()
    assert world.status(payment.id) is PaymentStatus.COMPLETED
    assert [event.effect for event in world.events(payment.id)][-1] is Effect.LATE


# --- 7 ----------------------------------------------------------------------------------------------------------------


def test_tampered_or_replayed_notify(world: World) -> None:
    payment = world.started()
    world.act(payment, "pay")
    event = told(world, payment, "checkout.session.completed")
    with pytest.raises(BadSignature):
        world.deliver(event, secret="whsec_of_somebody_else")
    cheaper = told(world, payment, "checkout.session.completed") | {"id": "evt_cheaper"}
    cheaper["data"]["object"]["amount_total"] = 1
    world.deliver(cheaper)
    world.drain()
    assert world.status(payment.id) is PaymentStatus.PENDING
    assert [review.kind for review in world.reviews()] == [ReviewKind.PAID_MISMATCH]

    assert world.deliver(event) is not None
    event["data"]["object"]["amount_total"] = 1
    assert world.deliver(event) is None, "what came first under an id is what it says"
    world.drain()
    assert moves(world, payment)[Fact.PAID] == 1


# --- 9 ----------------------------------------------------------------------------------------------------------------


def test_poison_message(world: World) -> None:
    good, cursed = world.started(), world.started()
    for payment in (good, cursed):
        world.act(payment, "pay")
    with world.app.database.transaction() as session:
        # A row that refuses every change: a defect that this payment's work meets, each time.
        curse = f"ALTER TABLE payments ADD CONSTRAINT cursed CHECK (id <> '{cursed.id}') NOT VALID"
        session.execute(text(curse))
    poison, event = (told(world, payment, "checkout.session.completed") for payment in (cursed, good))
    poisonous, unknown = (world.deliver(each) for each in (poison, event | {"id": "evt_x", "type": "customer.renamed"}))
    world.deliver(event)
    assert poisonous is not None
    for _ in range(MOST_CRASHES):
        world.drain()
        world.make_due()

    states: dict[str | None, NoticeState] = {notice.id: notice.state for notice in world.notices()}
    assert (states[unknown], states[poisonous]) == (NoticeState.IGNORED, NoticeState.DEAD)
    assert world.status(good.id) is PaymentStatus.COMPLETED, "the queue flows on"
    with world.app.database.transaction() as session:
        session.execute(text("ALTER TABLE payments DROP CONSTRAINT cursed"))
        replay_notice(session, poisonous)
    world.drain()
    assert world.status(cursed.id) is PaymentStatus.COMPLETED


def test_a_killer_is_set_aside_after_five_workers(world: World) -> None:
    payment = world.checkout()
    for _ in range(MOST_CRASHES):
        [sent] = jobs.dispatch(world.app.database, limit=10, lease=timedelta(seconds=20))
        # Claimed by a worker of which nothing is heard again.
        jobs.claim(world.app.database, [(sent.job_id, sent.token)], token=uuid4(), lease=timedelta(seconds=20))
        world.make_due()
    world.drain()
    [start] = [job for job in world.rows(Job) if job.kind == "payment.start"]
    assert (start.state, start.last_error) == (JobState.DEAD, f"its worker died {MOST_CRASHES} times")
    assert world.sessions_at_stripe() == []

    with world.app.database.transaction() as session:
        actions.requeue_job(session, session.get_one(Job, start.id))
    world.drain()
    assert world.payment(payment.id).stripe_session_id is not None


# --- 10 ---------------------------------------------------------------------------------------------------------------


def test_broker_loss(world: World) -> None:
    taken = [world.checkout() for _ in range(3)]
    # Sent, and the broker forgot all of it; it is sent again when its lease is over, and by nobody sooner.
    lost = jobs.dispatch(world.app.database, limit=10, lease=timedelta(minutes=1))
    assert len(lost) == 3
    assert world.drain_once() == 0
    world.make_due()
    world.drain()
    assert len(world.sessions_at_stripe()) == len(taken)


# --- 11 ---------------------------------------------------------------------------------------------------------------


def test_db_failover(world: World, client: FlaskClient) -> None:
    payment = world.started()
    world.act(payment, "pay")
    event = told(world, payment, "checkout.session.completed")
    url = world.app.settings.database_url.replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True) as server:
        [name] = server.execute("SELECT current_database()").fetchone() or [""]
        server.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on'.encode())
        _end_others(server)
        assert post_webhook(client, event) == 503, "so that Stripe delivers it again"
        server.execute("SET default_transaction_read_only = off")
        server.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only'.encode())
        _end_others(server)
    assert post_webhook(client, event) == 200
    world.drain()
    assert moves(world, payment)[Fact.PAID] == 1


def _end_others(server: psycopg.Connection[Any]) -> None:
    server.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )


@pytest.fixture
def client(world: World) -> FlaskClient:
    return create_app(world.app).test_client()


def post_webhook(client: FlaskClient, event: dict[str, Any], *, age: int = 0) -> int:
    """Deliver an event over HTTP, signed so many seconds ago; return the status of the answer."""
    body = json.dumps(event)
    signed_at = int(datetime.now(UTC).timestamp()) - age
    header = stripe.WebhookSignature.generate_signature_header(body, WEBHOOK_SECRET, signed_at)
    return client.post(f"{PREFIX}/webhook/stripe", data=body, headers={"Stripe-Signature": header}).status_code


# --- 12 ---------------------------------------------------------------------------------------------------------------


def test_idempotency_key_abuse(world: World, operator: User) -> None:
    front = create_app(world.app)
    keys = {"amina": issued_to(world, world.customer), "omar": issued_to(world, operator)}

    def post(whose: str, amount: str = "19.99") -> tuple[int, Any]:
        body = {"amount": amount, "currency": "usd", "description": "Two mangoes", **WHERE_TO}
        headers = {"Authorization": f"Bearer {keys[whose]}", "Idempotency-Key": "order-17"}
        answer = front.test_client().post(f"{PREFIX}/checkout", json=body, headers=headers)
        return answer.status_code, (answer.json or {}).get("payment_id")

    with ThreadPoolExecutor(8) as crowd:
        answers = list(crowd.map(lambda _: post("amina"), range(50)))
    assert {status for status, _ in answers} <= {202, 409}
    [first] = {payment_id for status, payment_id in answers if status == 202}
    assert post("amina", "20.00")[0] == 422, "another body"
    assert post("omar")[1] not in (None, first), "another's key is another key"
    with world.app.database.transaction() as session:
        # As if the process had died before it could answer, and its time were over.
        session.execute(text("UPDATE idempotency_keys SET answer = NULL, status = NULL, locked_until = now()"))
    assert post("amina") == (202, first)
    assert len(world.rows(Payment)) == 2


def issued_to(world: World, user: User) -> str:
    with world.app.database.transaction() as session:
        return issue_key(session, user)


# --- 13 ---------------------------------------------------------------------------------------------------------------


def test_clocks_and_dates(world: World, client: FlaskClient) -> None:
    payment = world.started()
    world.act(payment, "pay")
    event = told(world, payment, "checkout.session.completed")
    assert [post_webhook(client, event, age=age) for age in (330, -330)] == [403, 403]
    assert world.notices() == []
    assert post_webhook(client, event, age=240) == 200
    world.drain()
    assert world.status(payment.id) is PaymentStatus.COMPLETED


@pytest.mark.parametrize(("age", "taken"), [("89 days 23:59:00", True), ("90 days 00:00:01", False)])
def test_dates_of_a_refund_on_either_side_of_ninety_days(world: World, age: str, taken: bool) -> None:
    payment = world.paid()
    world.age("payments", payment.id, completed_at=age)
    if taken:
        assert given(world, payment).status is RefundStatus.SUCCEEDED
        return
    with pytest.raises(Conflict) as refused:
        refund(world, payment)
    assert refused.value.code == "refund_window_over"


def test_clocks_that_tick_twice_or_were_down_start_their_work_once(world: World) -> None:
    noon = datetime(2026, 8, 24, 12, tzinfo=UTC)

    def tick(now: datetime) -> bool:
        with world.app.database.transaction() as session:
            return clock.tick(session, jobs.Kind.PRUNE, now=now)

    with ThreadPoolExecutor(2) as beats:
        assert sorted(beats.map(tick, [noon, noon])) == [False, True]
    world.drain()
    # Down for six hours: what was missed is one look.
    assert [tick(noon + timedelta(hours=6)) for _ in range(2)] == [True, False]


# --- 14 ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sick", ["html_200", "truncated_json", "error_500_before", "drop_connection"])
def test_provider_outage(world: World, sick: str) -> None:
    payment = world.checkout()
    world.break_stripe(SESSIONS, sick, times=None)
    world.drain_once()
    assert world.status(payment.id) is PaymentStatus.PENDING, "not knowing is not failing"
    world.mend_stripe()
    world.make_due()
    world.drain()
    assert world.sessions_at_stripe() == [world.payment(payment.id).stripe_session_id]


# --- 15 ---------------------------------------------------------------------------------------------------------------


def test_reconciliation_truth(world: World) -> None:
    unheard, altered, gone = world.started(), world.paid(money=HUNDRED), world.paid()
    world.act(unheard, "pay")
    world.at_stripe(f"objects/{altered.stripe_payment_intent_id}", amount_received=10001)
    requests.delete(f"{world.gateway.base_url}/_sandbox/objects/{gone.stripe_payment_intent_id}", timeout=30)
    by_hand = {"payment_id": "pay_by_hand", "reference": "byhand", "amount": 700, "currency": "usd"}
    world.at_stripe("bulk", payments=[by_hand])

    first = look(world, "the first")
    assert look(world, "the second") == first, "another run adds nothing"
    world.drain()
    assert first == {
        (FindingKind.AMOUNT_MISMATCH, altered.id),
        (FindingKind.MISSED_EVENT, unheard.id),
        (FindingKind.MISSING_LOCAL, ""),
        (FindingKind.MISSING_REMOTE, gone.id),
    }
    assert world.status(unheard.id) is PaymentStatus.COMPLETED, "by the usual door"
    assert world.status(altered.id) is PaymentStatus.COMPLETED, "and what is not safe is a person's"


def look(world: World, period: str) -> set[tuple[FindingKind, str | None]]:
    """Hold everything of the last days against Stripe, and return what has been found so far."""
    now = datetime.now(UTC)
    window = Window(begin=now - timedelta(days=50), end=now + timedelta(seconds=2))
    begun = runs.begin(world.app, Loop.OBJECTS, STRIPE, period=period, window=window, dry_run=False)
    runs.resume(world.app, begun.id, steps.STEPS)
    found = [(each.kind, each.ours) for each in world.rows(ReconciliationFinding)]
    assert len(set(found)) == len(found)
    return set(found)
