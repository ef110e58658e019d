import pytest

from payproc.states import OPEN, TERMINAL, Effect, Fact, PaymentStatus, Transition, TransitionRefused, transition

PENDING, PROCESSING, COMPLETED = PaymentStatus.PENDING, PaymentStatus.PROCESSING, PaymentStatus.COMPLETED
FAILED, REFUNDED, CANCELLED = PaymentStatus.FAILED, PaymentStatus.REFUNDED, PaymentStatus.CANCELLED

# Written a second time on purpose, by fact instead of by status, from the table of the design.
SAME, LATE = Effect.SAME, Effect.LATE
EXPECTED: dict[Fact, dict[PaymentStatus, PaymentStatus | Effect]] = {
    Fact.STARTED: {
        PENDING: SAME, PROCESSING: SAME, COMPLETED: LATE, FAILED: LATE, CANCELLED: LATE, REFUNDED: LATE,
    },
    Fact.ATTEMPT_DECLINED: {
        PENDING: SAME, PROCESSING: SAME, COMPLETED: LATE, FAILED: LATE, CANCELLED: LATE, REFUNDED: LATE,
    },
    Fact.PROCESSING: {
        PENDING: PROCESSING, PROCESSING: SAME, COMPLETED: LATE, FAILED: LATE, CANCELLED: LATE, REFUNDED: LATE,
    },
    Fact.PAID: {
        PENDING: COMPLETED, PROCESSING: COMPLETED, COMPLETED: SAME,
        FAILED: COMPLETED, CANCELLED: COMPLETED, REFUNDED: LATE,
    },
    Fact.DECLINED: {
        PENDING: FAILED, PROCESSING: FAILED, COMPLETED: LATE, FAILED: SAME, CANCELLED: LATE, REFUNDED: LATE,
    },
    Fact.EXPIRED: {
        PENDING: CANCELLED, PROCESSING: CANCELLED, COMPLETED: LATE, FAILED: LATE, CANCELLED: SAME, REFUNDED: LATE,
    },
    Fact.CANCELLED: {
        PENDING: CANCELLED, PROCESSING: CANCELLED, COMPLETED: LATE, FAILED: LATE, CANCELLED: SAME, REFUNDED: LATE,
    },
    Fact.REFUNDED: {COMPLETED: REFUNDED, REFUNDED: SAME},
    Fact.REFUND_UNDONE: {COMPLETED: SAME, REFUNDED: COMPLETED},
    Fact.MISMATCH: {
        PENDING: SAME, PROCESSING: SAME, COMPLETED: LATE, FAILED: LATE, CANCELLED: LATE, REFUNDED: LATE,
    },
}  # fmt: skip
REVIEWED = {(FAILED, Fact.PAID), (CANCELLED, Fact.PAID)}
PAIRS = [(status, fact) for fact in Fact for status in PaymentStatus]


@pytest.mark.parametrize(("status", "fact"), PAIRS)
def test_every_pair_does_what_the_design_says_or_is_refused(status: PaymentStatus, fact: Fact) -> None:
    expected = EXPECTED.get(fact, {}).get(status)
    match expected:
        case None:
            with pytest.raises(TransitionRefused):
                transition(status, fact)
        case Effect():
            assert transition(status, fact) == Transition(effect=expected, to=status)
        case PaymentStatus():
            review = (status, fact) in REVIEWED
            assert transition(status, fact) == Transition(effect=Effect.MOVED, to=expected, review=review)


def test_a_payment_is_open_or_ended_and_never_both() -> None:
    assert frozenset({PENDING, PROCESSING}) == OPEN
    assert frozenset(PaymentStatus) == OPEN | TERMINAL
    assert not OPEN & TERMINAL


@pytest.mark.parametrize("status", sorted(TERMINAL))
def test_nothing_reopens_a_payment_that_has_ended(status: PaymentStatus) -> None:
    reached = {cell for fact in Fact if isinstance(cell := EXPECTED.get(fact, {}).get(status), PaymentStatus)}
    assert not reached & OPEN
