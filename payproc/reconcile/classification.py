"""Which differences there are: what tells them apart, how much each kind matters, and who may mend it.

Grids, as in `payproc/domain/states.py`: every loop reads its answer here, and none asks in an order of its own.
"""

from dataclasses import dataclass
from enum import StrEnum

from payproc.database.models import Dispute, FindingKind, Loop, Payment, Refund
from payproc.domain.money import Money
from payproc.domain.settlement import RefundVerdict, RemoteDispute
from payproc.domain.states import OPEN, PaymentStatus
from payproc.flows.provider_requests import end_of
from payproc.providers.answers import Outcome, Verdict
from payproc.providers.listing import RemotePayment

PAID = frozenset({PaymentStatus.COMPLETED, PaymentStatus.REFUNDED})


class Severity(StrEnum):
    """What a difference asks of whoever reads of it, the worst first."""

    CRITICAL = "critical"  # at once: a record is wrong about money or about whose it is, or money does not arrive
    LOOK = "look"  # a person has to look, or to be told
    NOTE = "note"  # mended by itself, and worth counting


# What each loop does with what it finds: mends it without a person (only by the functions that any other source goes
# through, and only forwards), or asks one. A statement is a file from somebody's disk: nothing is mended by its word.
# What is missing here is mended only after a restore, where a person has told the run to (`--remake`).
_KINDS = """
                        severity  events  objects  money  wallets  statement
missed_event            note      -       mends    -      mends    asks
local_ahead             critical  -       asks     -      asks     -
missing_local           look      -       mends    -      -        asks
missing_remote          look      -       asks     -      -        asks
amount_mismatch         look      -       asks     -      asks     asks
currency_mismatch       look      -       asks     -      asks     asks
status_mismatch         look      -       mends    -      mends    asks
refund_missing_local    note      -       mends    -      -        asks
refund_amount_mismatch  look      -       asks     -      -        asks
refund_failed_late      look      -       mends    -      -        -
duplicate_charge        look      -       asks     -      -        asks
dispute_unknown         look      -       mends    -      -        -
stuck                   note      -       mends    -      mends    -
ledger_imbalance        look      -       -        asks   -        asks
fee_missing             look      -       -        asks   -        -
payout_sum_mismatch     look      -       -        asks   -        -
fx_unexplained          look      -       -        asks   -        -
livemode_mismatch       critical  -       asks     -      -        -
unreadable              look      asks    asks     asks   -        -
in_suspense             look      -       -        asks   -        -
payout_failed           critical  -       -        asks   -        -
"""

# Rows are how a payment stands here, columns what its provider says. `late` is one that is open here past its end, and
# that the provider was asked about by itself.
_PAYMENTS = """
            paid          processing       declined         cancelled        expired          reversed         pending      unknown
pending     missed_event  status_mismatch  status_mismatch  status_mismatch  status_mismatch  -                -            -
processing  missed_event  -                status_mismatch  status_mismatch  status_mismatch  -                -            -
late        missed_event  stuck            stuck            stuck            stuck            stuck            -            -
completed   -             local_ahead      local_ahead      local_ahead      local_ahead      status_mismatch  local_ahead  local_ahead
refunded    -             local_ahead      local_ahead      local_ahead      local_ahead      -                local_ahead  local_ahead
failed      missed_event  -                -                -                -                -                -            -
cancelled   missed_event  -                -                -                -                -                -            -
"""  # noqa: E501 (a grid is read by its columns)

# With a question mark where our refund would not follow theirs: a person is asked, whoever found it.
_REFUNDS = """
            succeeded         failed              cancelled           pending           not_found  unknown
requested   status_mismatch   status_mismatch     status_mismatch     status_mismatch   -          -
pending     status_mismatch   status_mismatch     status_mismatch     -                 -          -
manual      status_mismatch   status_mismatch     status_mismatch     status_mismatch?  -          -
succeeded   -                 refund_failed_late  refund_failed_late  status_mismatch?  -          -
failed      status_mismatch?  -                   status_mismatch?    status_mismatch?  -          -
cancelled   status_mismatch?  status_mismatch?    -                   status_mismatch?  -          -
"""


def _read_grid(text: str) -> dict[tuple[str, str], str]:
    header, *rows = (line.split() for line in text.strip().splitlines())
    return {(name, column): word for name, *words in rows for column, word in zip(header, words, strict=True)}


KINDS, PAYMENTS, REFUNDS = _read_grid(_KINDS), _read_grid(_PAYMENTS), _read_grid(_REFUNDS)


def severity_of(kind: FindingKind) -> Severity:
    """Say how much a kind matters."""
    return Severity(KINDS[kind, "severity"])


def kinds_of(severity: Severity) -> frozenset[FindingKind]:
    """Return the kinds of one severity."""
    return frozenset(kind for kind in FindingKind if severity_of(kind) is severity)


def is_mended(kind: FindingKind, *, by: Loop) -> bool:
    """Whether a loop may mend a difference without a person."""
    return KINDS[kind, by] == "mends"


@dataclass(frozen=True, kw_only=True)
class Contradiction:
    """In what two records of one thing contradict each other. `follows` says whether ours would move to theirs."""

    kind: FindingKind
    sentence: str
    follows: bool = True


def listed_payment(payment: Payment, remote: RemotePayment) -> Contradiction | None:
    """Compare a payment with one that a list shows as ours."""
    outcome = remote.outcome
    if outcome.live_mode is not None and outcome.live_mode is not payment.live_mode:
        sentence = "theirs is of the other mode (live or test)"
        return Contradiction(kind=FindingKind.LIVEMODE_MISMATCH, sentence=sentence)
    if _is_another(payment, remote) and outcome.verdict is Verdict.PAID:
        sentence = f"{outcome.money} was taken a second time for it"
        return Contradiction(kind=FindingKind.DUPLICATE_CHARGE, sentence=sentence)
    if _is_another(payment, remote) and payment.status in PAID:
        return None
    return told_payment(payment, outcome)


def _is_another(payment: Payment, remote: RemotePayment) -> bool:
    # It names our payment, and is not the one that ours was paid by.
    return any(
        reference.names_one_payment and (ours := getattr(payment, reference)) and theirs != ours
        for reference, theirs in remote.references.items()
    )


def told_payment(payment: Payment, outcome: Outcome) -> Contradiction | None:
    """Compare a payment with what a list or a statement says of it."""
    return _paid_otherwise(payment, outcome) or _contradiction(PAYMENTS, payment.status, outcome.verdict)


def asked_payment(payment: Payment, outcome: Outcome) -> Contradiction | None:
    """Compare a payment with what its provider says when asked: one that is open is past its end."""
    if payment.status not in OPEN:
        return told_payment(payment, outcome)
    return _paid_otherwise(payment, outcome) or late_payment(payment, outcome)


def late_payment(payment: Payment, outcome: Outcome) -> Contradiction | None:
    """Compare a payment that is open past its end with what becomes of it at its provider."""
    past = f"{payment.status} past its end at {end_of(payment):%Y-%m-%d %H:%M} UTC"
    return _contradiction(PAYMENTS, "late", outcome.verdict, here=past)


def _paid_otherwise(payment: Payment, outcome: Outcome) -> Contradiction | None:
    if outcome.verdict is not Verdict.PAID or outcome.money is None or outcome.money == payment.money:
        return None
    same = outcome.money.currency == payment.money.currency
    kind = FindingKind.AMOUNT_MISMATCH if same else FindingKind.CURRENCY_MISMATCH
    return Contradiction(kind=kind, sentence=f"paid {outcome.money}, asked for {payment.money}")


def known_refund(refund: Refund, money: Money | None, verdict: RefundVerdict) -> Contradiction | None:
    """Compare a refund with what is said of it."""
    if money != refund.money:
        sentence = f"{refund.money} here, and {money} there"
        return Contradiction(kind=FindingKind.REFUND_AMOUNT_MISMATCH, sentence=sentence, follows=False)
    return _contradiction(REFUNDS, refund.status, verdict)


def known_dispute(dispute: Dispute, remote: RemoteDispute) -> Contradiction | None:
    """Compare a dispute with how its provider shows it."""
    if remote.status is not dispute.status:
        sentence = f"{dispute.status} here, and {remote.status} there"
        return Contradiction(kind=FindingKind.STATUS_MISMATCH, sentence=sentence)
    if remote.money != dispute.money:
        sentence = f"{dispute.money} here, and {remote.money} there"
        return Contradiction(kind=FindingKind.AMOUNT_MISMATCH, sentence=sentence)
    return None


def _contradiction(
    grid: dict[tuple[str, str], str], row: str, there: Verdict | RefundVerdict, *, here: str | None = None
) -> Contradiction | None:
    word = grid[row, there]
    if word == "-":
        return None
    sentence = f"{here or row} here, and {there} there"
    return Contradiction(kind=FindingKind(word.rstrip("?")), sentence=sentence, follows=not word.endswith("?"))
