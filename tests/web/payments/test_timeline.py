"""A payment's timeline has two audiences: the staff, and the customer."""

import json
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select, update

from payproc import jobs
from payproc.application import Application
from payproc.database.models import Job, JobState, Payment, ProviderCall, Review, ReviewKind, User
from payproc.domain.provenance import Provenance, Source
from payproc.domain.states import Fact, RefundFact
from payproc.flows.request_refund import request_refund
from payproc.operations import actions
from payproc.operations.actions import OperatorAction
from payproc.providers.requests import Operation, PreparedCall
from payproc.records import payments, provider_calls, refunds
from payproc.records.reviews import open_review
from tests.web.client import Client, checkout_body

FRAUD = "looks like a fraudster"


@pytest.fixture
def payment_id(amina: Client) -> str:
    return str((amina.post("/checkout", checkout_body()).json or {})["payment_id"])


@pytest.fixture
def worked_on(app: Application, payment_id: str, admin: User) -> str:
    """A payment about which operators, workers and providers have left their notes."""
    told = Provenance(source=Source.OPERATOR, evidence=admin.id)
    [dispatched] = jobs.dispatch(app.database, limit=10, lease=app.settings.ring_lease)
    messages = [(dispatched.job_id, dispatched.token)]
    [claimed] = jobs.claim(app.database, messages, token=uuid4(), lease=app.settings.work_lease)
    with app.database.transaction() as session:
        session.execute(update(Job).values(last_error="connection refused by 10.0.0.7"))
        attempt = provider_calls.record_attempt(
            session,
            Operation.START,
            payment_id,
            job=claimed,
            payment=session.get_one(Payment, payment_id),
            prepare=lambda: PreparedCall(operation=Operation.START, parameters={}),
        )
        provider_calls.record_answer(session, attempt, "sent")
        open_review(session, ReviewKind.JOB_DEAD, "job_1", payment_id=payment_id, detail=f"{FRAUD}: ask him")
    with app.database.transaction() as session:
        review_id = session.scalars(select(Review.id)).one()
        actions.resolve_review(session, review_id, resolution=FRAUD, decision=OperatorAction.CANCELLED)
    with app.database.transaction() as session:
        payments.apply_fact(session, payment_id, Fact.PAID, provenance=told, detail=FRAUD)
    with app.database.transaction() as session:
        payment = session.get_one(Payment, payment_id)
        assert payment.failure_message is None
        refund = request_refund(app, session, payment_id, user=admin, money=None, reason=FRAUD)
    with app.database.transaction() as session:
        refunds.apply_fact(session, refund.id, RefundFact.FAILED, provenance=told, code="rejected", message=FRAUD)
        dead = select(Job).where(Job.subject == refund.id)
        for job in session.scalars(dead):
            job.state = JobState.DEAD
    return payment_id


def timeline(client: Client, payment_id: str) -> list[dict[str, Any]]:
    answer = client.get(f"/{payment_id}/timeline").json
    assert answer is not None
    return list(answer["timeline"])


def test_a_customer_is_told_nothing_that_was_written_for_the_staff(
    app: Application, amina: Client, admin: User, worked_on: str
) -> None:
    entries = timeline(amina, worked_on)
    shown = json.dumps([entries, amina.get(f"/{worked_on}").json, amina.get(f"/{worked_on}/refunds").json])
    with app.database.transaction() as session:
        keys = list(session.scalars(select(ProviderCall.idempotency_key)))
    for hidden in (FRAUD, admin.id, "10.0.0.7", "last error", "job_", "rev_", "under key", *keys):
        assert hidden not in shown
    assert {entry["evidence"] for entry in entries} == {None}
    assert {entry["what"].partition(".")[0] for entry in entries} <= {"payment", "refund", "dispute", "mail", "job"}


def test_a_customer_is_told_what_became_of_the_payment_and_its_refund(amina: Client, worked_on: str) -> None:
    told = [(entry["what"], entry["from"], entry["to"]) for entry in timeline(amina, worked_on)]
    for moved in (
        ("payment.created", None, "pending"),
        ("payment.cancelled", "pending", "cancelled"),
        ("payment.paid", "cancelled", "completed"),
        ("refund.asked", None, "pending"),
        ("refund.failed", "pending", "failed"),
    ):
        assert moved in told
    assert "mail.owed" in {what for what, *_ in told}


def test_staff_are_told_everything_on_record(omar: Client, admin: User, worked_on: str) -> None:
    shown = json.dumps(timeline(omar, worked_on))
    for noted in (FRAUD, admin.id, "under key", "rev_"):
        assert noted in shown
    assert FRAUD in json.dumps(omar.get(f"/{worked_on}/refunds").json)


def test_a_customer_reads_the_reason_that_they_gave(amina: Client, app: Application, payment_id: str) -> None:
    with app.database.transaction() as session:
        told = Provenance(source=Source.OPERATOR, evidence="rev_1")
        payments.apply_fact(session, payment_id, Fact.PAID, provenance=told)
    amina.post(f"/refund/{payment_id}", {"reason": "One mango was not ripe"})
    shown = [entry["sentence"] for entry in timeline(amina, payment_id)]
    assert "refund of 19.99 USD asked for by the customer (One mango was not ripe)" in shown
    assert (amina.get(f"/{payment_id}/refunds").json or {})["refunds"][0]["reason"] == "One mango was not ripe"


def test_a_plan_is_told_without_its_troubles(amina: Client, app: Application, payment_id: str) -> None:
    with app.database.transaction() as session:
        session.execute(update(Job).values(last_error="a stack trace", attempts=7))
    planned = [entry for entry in timeline(amina, payment_id) if entry["what"] == "job.due"]
    assert [entry["sentence"] for entry in planned] == ["to be started at the provider"]
