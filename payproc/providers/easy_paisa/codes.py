"""What a `responseCode` means, whatever call it answers. A code that is not listed is unknown, never a refusal."""

from enum import StrEnum
from typing import assert_never

from payproc.errors import Refusal, RequestRefused
from payproc.providers.answers import AwaitCustomer, Outcome, StartResult, Verdict
from payproc.providers.easy_paisa import values
from payproc.providers.easy_paisa.values import Json
from payproc.providers.requests import PaymentRef

ACCEPTED = "0000"

# What we learn from a reply about somebody else's order, store or account: nothing.
_FOREIGN = Outcome(verdict=Verdict.UNKNOWN, failure_code="foreign_answer")


class Meaning(StrEnum):
    """What the gateway says of our call."""

    ACCEPTED = "accepted"
    NO_SUCH_ORDER = "no_such_order"
    DECLINED = "declined"
    INPUT = "input"
    CONFIGURATION = "configuration"
    UNKNOWN = "unknown"


# 0000-0007 are the gateway's published list; the others are what several of its clients agree on.
_MEANINGS: dict[Meaning, str] = {
    Meaning.ACCEPTED: ACCEPTED,
    Meaning.NO_SUCH_ORDER: "0003",
    # A card failed; wrong PIN, no PIN; low balance, no such account.
    Meaning.DECLINED: "0009 0011 0012 0013 0014",
    # Mobile number, e-mail address, amount, amount beyond the limits.
    Meaning.INPUT: "0026 0027 0028 0029",
    # A missing field, account, store, method, credentials, the token's expiry, settlement, signature and keys.
    Meaning.CONFIGURATION: (
        "0002 0004 0005 0006 0007 0008 0010 0015 0016 0017 0018 0019 0020 0021 0022 0023 0024 0025"
    ),
    # One client reads 0001 as success. The gateway's own list says "system error": it may have charged or not.
    Meaning.UNKNOWN: "0001",
}
_BY_CODE = {code: means for means, listed in _MEANINGS.items() for code in listed.split()}


def code_of(reply: Json) -> str | None:
    """Return the reply's code."""
    return values.identifier(reply.get("responseCode"))


def meaning(code: str | None) -> Meaning:
    """Look a code up."""
    return _BY_CODE.get(code or "", Meaning.UNKNOWN)


def unaccepted_start(code: str | None, reply: Json, *, ours: Json) -> StartResult | None:
    """Read a charge's code; None where it was accepted, so that the rest of the reply says what follows.

    `ours` is what the reply must not name differently.
    Raises RequestRefused where nothing can have been charged and no customer is to blame.
    """
    if values.name_another(reply, ours):
        return doubtful_start(_FOREIGN)
    match meaning(code):
        case Meaning.ACCEPTED:
            return None
        case Meaning.DECLINED:
            return StartResult(
                next_action=None,
                references=values.references(reply),
                outcome=_outcome(Verdict.DECLINED, code, reply),
            )
        case Meaning.INPUT:
            raise _refused("initiate", code, Refusal.INPUT)
        case Meaning.CONFIGURATION:
            raise _refused("initiate", code, Refusal.CONFIGURATION)
        case Meaning.NO_SUCH_ORDER | Meaning.UNKNOWN:
            # "Invalid order id" of a charge may also mean "used already", and then there is something to find.
            return doubtful_start(_outcome(Verdict.UNKNOWN, code, reply))
        case _ as never:
            assert_never(never)


def doubtful_start(outcome: Outcome) -> StartResult:
    """Begin a payment of which we must ask at once: the customer's phone may be ringing."""
    return StartResult(next_action=AwaitCustomer(), references=outcome.references, outcome=outcome)


def unanswered_inquiry(code: str | None, reply: Json, ref: PaymentRef, *, ours: Json) -> Outcome | None:
    """Read an inquiry's code; None where the inquiry worked, so that its status says how the payment stands.

    `ours` is what we asked with. Raises RequestRefused where an operator must act.
    """
    if values.name_another(reply, ours):
        return _FOREIGN
    match meaning(code):
        case Meaning.ACCEPTED:
            return None
        case Meaning.NO_SUCH_ORDER:
            # The order appears when the customer acts: until nobody can any more, "never heard of it" is early.
            return Outcome(verdict=Verdict.EXPIRED if ref.overdue else Verdict.PENDING)
        case Meaning.CONFIGURATION:
            raise _refused("inquiry", code, Refusal.CONFIGURATION)
        case Meaning.DECLINED | Meaning.INPUT | Meaning.UNKNOWN:
            # These judge a charge. Of an inquiry they only say that it did not work.
            return _outcome(Verdict.UNKNOWN, code, reply)
        case _ as never:
            assert_never(never)


def _outcome(verdict: Verdict, code: str | None, reply: Json) -> Outcome:
    return Outcome(
        verdict=verdict,
        references=values.references(reply),
        failure_code=code,
        failure_message=values.message(reply.get("responseDesc")),
    )


def _refused(operation: str, code: str | None, refusal: Refusal) -> RequestRefused:
    return RequestRefused(f"{operation}: Easypaisa answered {code}", refusal=refusal, code=code)
