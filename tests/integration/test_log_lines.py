"""What the log says of a payment's life: each move and each call once, and nothing that did not happen."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from payproc.database.models import Dispute, Job, Notice, Payment
from payproc.domain.payment_methods import PaymentMethod
from payproc.domain.provenance import Provenance, Source
from payproc.domain.states import Fact, PaymentStatus
from payproc.errors import (
    OperationNotSupported,
    OutcomeUncertain,
    ProviderError,
    ProviderUnavailable,
    Refusal,
    RequestRefused,
)
from payproc.flows.request_refund import request_refund
from payproc.providers.transport.circuit_breakers import CircuitBreakers
from payproc.records import payments
from tests.support.world import World


def told(lines: list[Any], event: str, *names: str) -> list[tuple[Any, ...]]:
    return [tuple(line[name] for name in ("log_level", *names)) for line in lines if line["event"] == event]


def test_each_move_of_a_payment_is_a_line_with_who_said_so(world: World) -> None:
    with capture_logs() as lines:
        payment = world.paid()

    proof = {event.to_status: event.evidence for event in world.events(payment.id) if event.effect == "moved"}
    assert told(lines, "payment moved", "payment", "from", "to", "source", "evidence") == [
        ("info", payment.id, None, "pending", "api", world.customer.id),
        ("info", payment.id, "pending", "completed", "notice", proof[PaymentStatus.COMPLETED]),
    ]
    assert proof[PaymentStatus.COMPLETED] in {notice.id for notice in world.rows(Notice)}


def test_each_move_of_a_refund_and_of_a_dispute_is_a_line_that_names_its_payment(world: World) -> None:
    refunded, disputed = world.paid(), world.paid()
    with capture_logs() as lines:
        with world.app.database.transaction() as session:
            refund = request_refund(world.app, session, refunded.id, user=world.customer, money=None)
        world.drain()
        world.at_stripe(f"payment_intents/{world.payment(disputed.id).stripe_payment_intent_id}/dispute")
        world.deliver_all(disputed)
        world.drain()

    assert told(lines, "refund moved", "refund", "payment", "from", "to", "source") == [
        ("info", refund.id, refunded.id, None, "pending", "api"),
        ("info", refund.id, refunded.id, "pending", "succeeded", "api"),
    ]
    assert told(lines, "payment moved", "payment", "from", "to") == [("info", refunded.id, "completed", "refunded")]
    [dispute] = world.rows(Dispute)
    assert told(lines, "dispute moved", "dispute", "payment", "from", "to", "source") == [
        ("info", dispute.id, disputed.id, None, "needs_response", "notice")
    ]


def test_a_move_is_told_when_it_is_committed_and_never_when_it_is_rolled_back(world: World) -> None:
    payment = world.checkout()
    with capture_logs() as lines:
        with pytest.raises(ZeroDivisionError):
            _cancel_and_fail(world, payment)
        assert lines == []
        with world.app.database.transaction() as session:
            _cancel(session, payment)
            assert lines == []
        assert told(lines, "payment moved", "to", "source") == [("info", "cancelled", "operator")]
        with world.app.database.transaction() as session:
            _cancel(session, payment)
    assert len(lines) == 1, "what changes nothing is no move"


def _cancel_and_fail(world: World, payment: Payment) -> None:
    with world.app.database.transaction() as session:
        _cancel(session, payment)
        1 / 0  # noqa: B018 (a bug, before the commit)


def _cancel(session: Any, payment: Payment) -> None:
    payments.apply_fact(session, payment.id, Fact.CANCELLED, provenance=Provenance(source=Source.OPERATOR))


def test_each_call_of_a_provider_is_a_line_with_its_job_and_its_attempt(world: World) -> None:
    world.break_stripe("POST /v1/checkout/sessions", "timeout_after", times=None, seconds=0)
    with capture_logs(processors=[merge_contextvars]) as lines:
        payment = world.started()
        world.mend_stripe()
        world.make_due()
        world.drain()

    calls = [line for line in lines if line["event"] == "provider called"]
    assert told(calls, "provider called", "provider", "operation", "outcome", "subject", "attempt") == [
        ("info", "stripe", "create customer", "answered", payment.id, 1),
        ("info", "stripe", "create session", "uncertain", payment.id, 1),
        ("info", "stripe", "create session", "answered", payment.id, 2),
    ]
    assert {line["job"] for line in calls} == {job.id for job in world.rows(Job) if job.kind == "payment.start"}
    assert all(line["milliseconds"] >= 0 for line in calls)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (lambda: ProviderUnavailable("busy", code="rate_limited"), ("not executed", "rate_limited")),
        (lambda: OutcomeUncertain("cut off", code="connection_lost"), ("uncertain", "connection_lost")),
        (lambda: RequestRefused("no", refusal=Refusal.INPUT, code="amount"), ("refused", "amount")),
        (lambda: OperationNotSupported("never", code="by_hand"), ("not supported", "by_hand")),
    ],
)
def test_a_call_that_fails_is_told_by_its_kind_and_code_and_not_by_its_words(
    error: Callable[[], ProviderError], outcome: tuple[str, str]
) -> None:
    breakers = CircuitBreakers(PaymentMethod("wire"), longest_rest=timedelta(seconds=1))
    with capture_logs() as lines:
        with pytest.raises(ProviderError), breakers.guard("charge"):
            raise error()
        with pytest.raises(ZeroDivisionError), breakers.guard("charge"):
            1 / 0  # noqa: B018 (a bug of ours is no answer of theirs)

    assert told(lines, "provider called", "provider", "operation", "outcome", "code") == [
        ("info", "wire", "charge", *outcome),
        ("info", "wire", "charge", "broken", None),
    ]
    assert set(lines[0]) == {"event", "log_level", "provider", "operation", "outcome", "code", "milliseconds"}


def test_a_call_that_a_sick_gateway_is_spared_is_told_as_not_executed() -> None:
    breakers = CircuitBreakers(PaymentMethod("wire"), longest_rest=timedelta(minutes=1))
    with capture_logs() as lines:
        for _ in range(6):
            with pytest.raises(ProviderUnavailable), breakers.guard("charge"):
                raise ProviderUnavailable("down", code="no_connection")

    codes = [code for _, code in told(lines, "provider called", "code")]
    assert codes == [*["no_connection"] * 5, "circuit_open"]
