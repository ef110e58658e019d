from datetime import UTC, datetime
from typing import Any

import pytest

from payproc.domain.money import Money
from payproc.domain.references import Reference
from payproc.domain.settlement import LineKind
from payproc.domain.states import DisputeStatus
from payproc.providers.stripe.wire import disputes

CREATED, DUE = 1_790_000_000, 1_790_600_000
REPORTED_AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
LINE: dict[str, Any] = {
    "id": "txn_1",
    "type": "adjustment",
    "reporting_category": "dispute",
    "amount": -1999,
    "fee": 1500,
    "net": -3499,
    "currency": "usd",
    "source": "du_1",
    "created": CREATED,
}
DISPUTE: dict[str, Any] = {
    "id": "du_1",
    "object": "dispute",
    "status": "needs_response",
    "reason": "fraudulent",
    "amount": 1999,
    "currency": "usd",
    "payment_intent": "pi_1",
    "charge": "ch_1",
    "balance_transactions": [LINE],
    "evidence_details": {"due_by": DUE},
    "metadata": {},
    "created": CREATED,
}

# Every `status` of "The Dispute object" (API reference, November 2026).
STATUSES = [
    ("warning_needs_response", DisputeStatus.INQUIRY),
    ("warning_under_review", DisputeStatus.INQUIRY_UNDER_REVIEW),
    ("warning_closed", DisputeStatus.INQUIRY_CLOSED),
    ("needs_response", DisputeStatus.NEEDS_RESPONSE),
    ("under_review", DisputeStatus.UNDER_REVIEW),
    ("won", DisputeStatus.WON),
    ("lost", DisputeStatus.LOST),
    ("prevented", DisputeStatus.PREVENTED),
    ("appeal_needs_response", DisputeStatus.APPEAL_NEEDS_RESPONSE),
    ("appeal_under_review", DisputeStatus.APPEAL_UNDER_REVIEW),
    ("a_new_status", DisputeStatus.UNKNOWN),
    ("", DisputeStatus.UNKNOWN),
    (None, DisputeStatus.UNKNOWN),
    (["won"], DisputeStatus.UNKNOWN),
]


@pytest.mark.parametrize(("word", "status"), STATUSES)
def test_a_dispute_stands_as_its_status_says(word: object, status: DisputeStatus) -> None:
    found = disputes.remote(DISPUTE | {"status": word}, reported_at=REPORTED_AT)
    assert found is not None
    assert found.status is status


def test_every_status_of_ours_has_a_word_of_stripes() -> None:
    assert {status for _, status in STATUSES} == set(DisputeStatus)


def test_a_dispute_says_what_it_is_about_and_what_it_has_moved() -> None:
    found = disputes.remote(DISPUTE, reported_at=REPORTED_AT)
    assert found is not None
    assert (found.provider_id, found.reason, found.reported_at) == ("du_1", "fraudulent", REPORTED_AT)
    assert found.references == {Reference.STRIPE_PAYMENT_INTENT: "pi_1", Reference.STRIPE_CHARGE: "ch_1"}
    assert found.money == Money.of(1999, "usd")
    assert found.created_at == datetime.fromtimestamp(CREATED, UTC)
    assert found.evidence_due_at == datetime.fromtimestamp(DUE, UTC)
    assert [(line.kind, line.gross, line.fee, line.net) for line in found.lines] == [
        (LineKind.DISPUTE, -1999, 1500, -3499)
    ]


def test_money_that_came_back_is_a_second_line() -> None:
    back = LINE | {"id": "txn_2", "reporting_category": "dispute_reversal", "amount": 1999, "fee": 0, "net": 1999}
    found = disputes.remote(DISPUTE | {"balance_transactions": [LINE, back]}, reported_at=REPORTED_AT)
    assert found is not None
    assert [line.net for line in found.lines] == [-3499, 1999]


@pytest.mark.parametrize("listed", [None, [], {}, "txn_1", ["txn_1"], [None], [LINE | {"net": 0}]])
def test_lines_that_are_not_shown_are_not_made_up(listed: object) -> None:
    found = disputes.remote(DISPUTE | {"balance_transactions": listed}, reported_at=REPORTED_AT)
    assert found is not None
    assert found.lines == ()


@pytest.mark.parametrize("details", [None, {}, [], {"due_by": None}, {"due_by": "soon"}])
def test_an_answer_may_be_due_at_no_time_we_know(details: object) -> None:
    found = disputes.remote(DISPUTE | {"evidence_details": details}, reported_at=REPORTED_AT)
    assert found is not None
    assert found.evidence_due_at is None


@pytest.mark.parametrize("changes", [{"amount": None}, {"amount": True}, {"currency": "xyz"}])
def test_an_amount_we_cannot_read_is_none(changes: dict[str, Any]) -> None:
    found = disputes.remote(DISPUTE | changes, reported_at=REPORTED_AT)
    assert found is not None
    assert found.money is None


@pytest.mark.parametrize("found", [{}, {"id": None}, {"id": ""}, {"id": {"id": "du_1"}}])
def test_what_has_no_id_is_no_dispute(found: dict[str, Any]) -> None:
    assert disputes.remote(found, reported_at=REPORTED_AT) is None


def test_a_dispute_that_says_nothing_else_is_held() -> None:
    found = disputes.remote({"id": "du_1"}, reported_at=REPORTED_AT)
    assert found is not None
    assert (found.status, found.money, found.references) == (DisputeStatus.UNKNOWN, None, {})
