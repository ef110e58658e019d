"""Every error payproc raises on purpose, each answering "what should the caller do?".

Beside each stand the HTTP status it is answered with, and what a retry does: `again` is safe and worth it, `ask` first
(only the same key, or a question, is safe), `no` brings the same once more. What becomes of a job follows: after
`again` and `ask` it runs once more by itself, after `no` it is given up and a person is asked. 500 stands where no
request can meet it: providers and mail servers are called by workers alone.

PayprocError                        500  no
├── SettingsInvalid                 500  no     the environment is wrong: mend it and start again
├── InvalidRequest                  422  no     the caller's words are wrong: change them
│   └── StatementInvalid            422  no     a statement with lines that cannot be read
├── NotFound                        404  no     no such thing, or not yours
├── Conflict                        409  no     right words, wrong moment
├── IdempotencyKeyReused            422  no     same key, other words
├── NotAuthenticated                401  no     no credential, or none that is accepted
├── NotAllowed                      403  no     a good credential that may not do this
├── TooManyRequests                 429  again  one of many too many: the same again, after a while
├── IdentityUnavailable             503  again  nobody says whether the credential is good
├── NoticeMalformed                 400  no     not a notice at all
├── BadSignature                    403  no     a notice we must not believe
├── LeaseLost                       500  no     another run has claimed this job: this one changes nothing
├── NotReached                      500  again  the time of a message was over before this job of it was begun
├── MailUnavailable                 500  again  the mail server asks for patience with this mail
│   └── MailTrouble                 500  again  no mail goes: the server is down, or does not take it from us
│       └── ConnectionLost          500  again  there is no connection to it: nothing else need be tried on this one
├── MailRefused                     500  no     the mail server will never take this mail
├── AddressRefused                  500  no     a webhook's name leads to an address that is not for the world
└── ProviderError                   500  no     something about a call to a provider
    ├── ProviderUnavailable         500  again  surely not executed
    │   ├── RateLimited             500  again  too many requests: a matter of pace, and no outage
    │   ├── Held                    500  again  a webhook's endpoint is left alone for a while
    │   ├── KeyInUse                500  again  an earlier request under this key is still being executed
    │   └── UnreadableAnswer        500  again  a question, answered in words we cannot read
    ├── OutcomeUncertain            500  ask    sent, and no answer: never a failure
    │   ├── CallTimedOut            500  ask    no answer in time
    │   ├── EndpointDown            500  ask    a webhook's endpoint does not answer, or says that it does not work
    │   ├── RepeatedOutcome         500  ask    an error that was kept under the key, said again
    │   └── UnreadableOutcome       500  ask    answered in words we cannot read
    ├── RequestRefused              409  no     the provider said no: our bug, the input or the configuration
    │   └── NoSuchObject            409  no     the provider has nothing by that id
    └── OperationNotSupported       500  no     this provider cannot do that

Three more stay where they are raised: the first two are caught beside it, the third is a defect of ours.

Exception
├── NotSigned                       500  no     a reply that the gateway's key did not sign
├── Unreadable                      500  no     a line of a statement; it is reported with its number
└── TransitionRefused               500  no     a status and a fact that no grid knows: a defect
"""

from datetime import timedelta
from enum import StrEnum
from typing import assert_never


class PayprocError(Exception):
    """Base of all our errors.

    `code` is stable and for machines; the message is for people and may change.
    `subject` is the id of the payment, notice or order it is about, when there is one.
    """

    code = "internal_error"

    def __init__(self, message: str, *, code: str | None = None, subject: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.subject = subject


class SettingsInvalid(PayprocError):
    """The environment lacks something or contradicts itself; `problems` lists each, by variable."""

    code = "settings_invalid"

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class InvalidRequest(PayprocError):
    """The request cannot be carried out as worded; `field` names the part to change."""

    code = "invalid_request"

    def __init__(self, message: str, *, code: str | None = None, field: str | None = None) -> None:
        super().__init__(message, code=code)
        self.field = field


class NotFound(PayprocError):
    """Nothing by that id that this caller may see."""

    code = "not_found"


class Conflict(PayprocError):
    """The request is well formed, but not possible in the present state."""

    code = "conflict"


class IdempotencyKeyReused(PayprocError):
    """An Idempotency-Key came back with another body."""

    code = "idempotency_key_reused"


class TooManyRequests(PayprocError):
    """Right words, and too many of them at once: the same again, after `retry_after`."""

    code = "too_many_requests"

    def __init__(self, message: str, *, retry_after: timedelta = timedelta(minutes=1), code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.retry_after = retry_after


class NoticeMalformed(PayprocError):
    """The body of a notice cannot be read, whoever sent it."""

    code = "notice_malformed"


class BadSignature(PayprocError):
    """A notice whose signature is missing, wrong, too old or from the future."""

    code = "bad_signature"


class ProviderError(PayprocError):
    """Anything that went wrong in a call to a provider."""

    code = "provider_error"


class ProviderUnavailable(ProviderError):
    """The request was surely not executed: sending it again is safe, after `retry_after` where it is known."""

    code = "provider_unavailable"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        subject: str | None = None,
        retry_after: timedelta | None = None,
    ) -> None:
        super().__init__(message, code=code, subject=subject)
        self.retry_after = retry_after


class RateLimited(ProviderUnavailable):
    """The provider is well and is asked too fast: the same again, after `retry_after`."""

    code = "rate_limited"


class KeyInUse(ProviderUnavailable):
    """The provider is well, and still executes an earlier request under this key: the same again, in a moment."""


class UnreadableAnswer(ProviderUnavailable):
    """A question was answered in words that we cannot read: asked again, the answer would be the same."""

    code = "unreadable_answer"


class OutcomeUncertain(ProviderError):
    """The request may have been executed: only asking, or the same key, is safe."""

    code = "outcome_uncertain"

    def of_a_question(self) -> ProviderUnavailable:
        """Return what this is where the call only asked: nothing was changed there, so asking again is safe."""
        return ProviderUnavailable(self.message, code=self.code)


class RepeatedOutcome(OutcomeUncertain):
    """An answer that the provider has kept under our key: it says how the provider was then, and not how it is now."""


class UnreadableOutcome(OutcomeUncertain):
    """The request was answered in words that we cannot read, so it may have been executed."""

    code = "unreadable_answer"

    def of_a_question(self) -> ProviderUnavailable:
        """Return what this is where the call only asked."""
        return UnreadableAnswer(self.message)


class Refusal(StrEnum):
    """Whose fault a refusal is, which decides who must act."""

    INPUT = "input"  # this payment can never start: it fails
    CUSTOMER_GONE = "customer_gone"  # the provider forgot the customer: make a new one
    CONFIGURATION = "configuration"  # keys or rights: an operator must act, the payment waits
    BUG = "bug"  # we broke the provider's contract: an operator must act, the payment waits
    KEY_CONFLICT = "key_conflict"  # our key came with other words: an operator must look what it made
    GIVEN_BACK = "given_back"  # too little of the charge is left: look which refunds have been made
    CHARGED_BACK = "charged_back"  # the customer's bank has the charge, and decides
    EXECUTION = "execution"  # it was tried, and something there was in the way: an operator must act, then a new key


class RequestRefused(ProviderError):
    """The provider understood and said no; nothing was executed.

    `replayed` says that this is the answer it has kept under our key.
    """

    code = "request_refused"

    def __init__(
        self,
        message: str,
        *,
        refusal: Refusal,
        code: str | None = None,
        subject: str | None = None,
        replayed: bool = False,
    ) -> None:
        super().__init__(message, code=code, subject=subject)
        self.refusal = refusal
        self.replayed = replayed

    def settles_call(self, *, sent_before: bool) -> bool:
        """Whether nothing can have come of any sending under the same key, so that a new key is safe.

        Rights and keys are checked before the provider looks at what it did for a key: refused there, an earlier
        sending whose answer was lost may still have been executed. An unlisted no may have been said there, too; it is
        the outcome of the call where nothing was sent before, or where it is what the provider has kept.
        """
        match self.refusal:
            case Refusal.INPUT | Refusal.CUSTOMER_GONE | Refusal.BUG | Refusal.GIVEN_BACK | Refusal.CHARGED_BACK:
                return True
            case Refusal.EXECUTION:
                return self.replayed or not sent_before
            case Refusal.CONFIGURATION | Refusal.KEY_CONFLICT:
                return False
            case _:
                assert_never(self.refusal)


class NoSuchObject(RequestRefused):
    """The provider has nothing by the id that was asked for."""


class OperationNotSupported(ProviderError):
    """The provider offers no such operation."""

    code = "operation_not_supported"
