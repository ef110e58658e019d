"""The grids of differences agree with those of what may happen to a payment and a refund."""

import pytest

from payproc.database.models import FindingKind, Loop
from payproc.domain.settlement import RefundVerdict
from payproc.domain.states import (
    OPEN,
    REFUND_TRANSITIONS,
    TRANSITIONS,
    Effect,
    Fact,
    PaymentStatus,
    RefundFact,
    RefundStatus,
)
from payproc.providers.answers import Verdict
from payproc.reconcile import classification
from payproc.reconcile.classification import KINDS, PAYMENTS, REFUNDS, Severity

FACTS = {
    Verdict.PAID: Fact.PAID,
    Verdict.PROCESSING: Fact.PROCESSING,
    Verdict.DECLINED: Fact.DECLINED,
    Verdict.CANCELLED: Fact.CANCELLED,
    Verdict.EXPIRED: Fact.EXPIRED,
}
REFUND_FACTS = {
    RefundVerdict.SUCCEEDED: RefundFact.SUCCEEDED,
    RefundVerdict.FAILED: RefundFact.FAILED,
    RefundVerdict.CANCELLED: RefundFact.CANCELLED,
    RefundVerdict.PENDING: RefundFact.UNDER_WAY,
}


def test_every_kind_has_a_severity_and_is_found_by_some_loop() -> None:
    columns = {"severity", *Loop}
    assert set(KINDS) == {(kind, column) for kind in FindingKind for column in columns}
    for kind in FindingKind:
        assert classification.severity_of(kind) in Severity
        assert {KINDS[kind, loop] for loop in Loop} > {"-"} or kind is FindingKind.UNREADABLE


def test_the_grids_know_every_status_and_every_verdict() -> None:
    assert set(PAYMENTS) == {(row, verdict) for row in (*PaymentStatus, "late") for verdict in Verdict}
    assert set(REFUNDS) == {(row, verdict) for row in RefundStatus for verdict in RefundVerdict}


@pytest.mark.parametrize("status", list(PaymentStatus))
@pytest.mark.parametrize("verdict", list(FACTS))
def test_a_payment_that_would_move_is_a_difference_that_is_mended(status: PaymentStatus, verdict: Verdict) -> None:
    cell = TRANSITIONS.get((status, FACTS[verdict]))
    moves = cell is not None and cell.effect is Effect.MOVED
    word = PAYMENTS[status, verdict]
    assert (word != "-" and classification.is_mended(FindingKind(word), by=Loop.OBJECTS)) is moves
    if status in OPEN and moves:
        assert PAYMENTS["late", verdict] != "-"


@pytest.mark.parametrize("status", list(RefundStatus))
@pytest.mark.parametrize("verdict", list(REFUND_FACTS))
def test_a_refund_is_mended_where_ours_would_move(status: RefundStatus, verdict: RefundVerdict) -> None:
    cell = REFUND_TRANSITIONS.get((status, REFUND_FACTS[verdict]))
    moves = cell is not None and cell.effect is Effect.MOVED
    word = REFUNDS[status, verdict]
    assert (word != "-" and not word.endswith("?")) is moves
