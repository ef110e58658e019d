from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payproc.domain.states import (
    OPEN,
    REFUND_OPEN,
    REFUND_RESERVING,
    TERMINAL,
    DisputeStanding,
    DisputeStatus,
    Effect,
    Fact,
    PaymentStatus,
    RefundFact,
    RefundStatus,
    Transition,
    TransitionRefused,
    dispute_effect,
    refund_transition,
    transition,
)

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
    Fact.SALE_UNDONE: {COMPLETED: FAILED},
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


# The refunds' grid a second time, by fact. What is missing cannot happen without a defect.
ASKED, ON_ITS_WAY, BY_HAND = RefundStatus.REQUESTED, RefundStatus.PENDING, RefundStatus.MANUAL
GIVEN, NOT_GIVEN, CALLED_OFF = RefundStatus.SUCCEEDED, RefundStatus.FAILED, RefundStatus.CANCELLED
_Row = dict[RefundStatus, RefundStatus | Effect]
_ALL_LATE: _Row = {GIVEN: LATE, NOT_GIVEN: LATE, CALLED_OFF: LATE}
REFUNDS: dict[RefundFact, _Row] = {
    RefundFact.ASKED: {**_ALL_LATE, ASKED: SAME, ON_ITS_WAY: SAME, BY_HAND: SAME},
    RefundFact.APPROVED: {**_ALL_LATE, ASKED: ON_ITS_WAY, ON_ITS_WAY: LATE, BY_HAND: LATE},
    RefundFact.HANDED_OVER: {**_ALL_LATE, ON_ITS_WAY: BY_HAND, BY_HAND: SAME},
    RefundFact.UNDER_WAY: {**_ALL_LATE, ASKED: ON_ITS_WAY, ON_ITS_WAY: SAME, BY_HAND: SAME},
    RefundFact.SUCCEEDED: {
        ASKED: GIVEN, ON_ITS_WAY: GIVEN, BY_HAND: GIVEN, GIVEN: SAME, NOT_GIVEN: LATE, CALLED_OFF: LATE,
    },
    RefundFact.FAILED: {
        ASKED: NOT_GIVEN, ON_ITS_WAY: NOT_GIVEN, BY_HAND: NOT_GIVEN, GIVEN: NOT_GIVEN,
        NOT_GIVEN: SAME, CALLED_OFF: LATE,
    },
    RefundFact.CANCELLED: {
        ASKED: CALLED_OFF, ON_ITS_WAY: CALLED_OFF, BY_HAND: CALLED_OFF, GIVEN: CALLED_OFF,
        NOT_GIVEN: LATE, CALLED_OFF: SAME,
    },
    RefundFact.SUPERSEDED: {**_ALL_LATE, ON_ITS_WAY: CALLED_OFF, BY_HAND: LATE, CALLED_OFF: SAME},
}  # fmt: skip


@pytest.mark.parametrize(("status", "fact"), [(status, fact) for fact in RefundFact for status in RefundStatus])
def test_every_pair_of_a_refund_does_what_the_table_says_or_is_refused(status: RefundStatus, fact: RefundFact) -> None:
    expected = REFUNDS[fact].get(status)
    match expected:
        case None:
            with pytest.raises(TransitionRefused):
                refund_transition(status, fact)
        case Effect():
            assert refund_transition(status, fact) == Transition(effect=expected, to=status)
        case RefundStatus():
            taken_back = status is GIVEN
            assert refund_transition(status, fact) == Transition(effect=Effect.MOVED, to=expected, review=taken_back)


def test_what_a_refund_holds_is_freed_only_by_its_failure_or_its_end() -> None:
    assert frozenset({ASKED, ON_ITS_WAY, BY_HAND, GIVEN}) == REFUND_RESERVING
    assert frozenset({ASKED, ON_ITS_WAY, BY_HAND}) == REFUND_OPEN


def test_whatever_order_a_refunds_news_come_in_they_end_it_alike() -> None:
    news = (RefundFact.UNDER_WAY, RefundFact.SUCCEEDED, RefundFact.FAILED)
    ends = set()
    for order in permutations(news):
        status = RefundStatus.PENDING
        for fact in order:
            status = refund_transition(status, fact).to
        ends.add(status)
    assert ends == {NOT_GIVEN}


NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
WORDS = st.lists(
    st.builds(
        DisputeStanding,
        status=st.sampled_from(DisputeStatus),
        # Whole seconds, and few of them: a provider's clock ties.
        reported_at=st.integers(0, 5).map(lambda seconds: NOON + timedelta(seconds=seconds)),
    ),
    min_size=1,
    max_size=6,
)


def ended(words: list[DisputeStanding]) -> DisputeStatus:
    standing = words[0]
    for word in words[1:]:
        effect = dispute_effect(standing, word)
        if effect is Effect.MOVED or (effect is Effect.SAME and word.reported_at > standing.reported_at):
            standing = word
    return standing.status


@given(words=WORDS, data=st.data())
def test_whatever_order_the_words_about_a_dispute_come_in_it_ends_alike(
    words: list[DisputeStanding], data: st.DataObject
) -> None:
    again = data.draw(st.lists(st.sampled_from(words), max_size=3))
    assert ended(data.draw(st.permutations(words + again))) == ended(words)


def test_a_dispute_that_was_lost_can_be_appealed_and_lost_again() -> None:
    story = [DisputeStatus.LOST, DisputeStatus.APPEAL_UNDER_REVIEW, DisputeStatus.LOST]
    words = [DisputeStanding(status=s, reported_at=NOON + timedelta(hours=h)) for h, s in enumerate(story)]
    assert {ended(list(order)) for order in permutations(words)} == {DisputeStatus.LOST}
