"""Every error payproc raises on purpose, each answering "what should the caller do?".

PayprocError
├── SettingsInvalid            the environment is wrong: fix it and start again
├── InvalidRequest             the caller's words are wrong: change them          (HTTP 422)
├── NotFound                   no such thing, or not yours                        (HTTP 404)
├── Conflict                   right words, wrong moment                          (HTTP 409)
├── IdempotencyKeyReused       same key, other words                              (HTTP 422)
├── NoticeMalformed            not a notice at all                                (HTTP 400)
├── BadSignature               a notice we must not believe                       (HTTP 403)
└── ProviderError              something about a call to a provider
    ├── ProviderUnavailable    surely not executed: try again
    ├── OutcomeUncertain       sent, no answer: never a failure, ask
    ├── RequestRefused         the provider said no: our bug, the input or the configuration
    └── OperationNotSupported  this provider cannot do that
"""

from datetime import timedelta
from enum import StrEnum


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


class OutcomeUncertain(ProviderError):
    """The request may have been executed: only asking, or the same key, is safe."""

    code = "outcome_uncertain"


class Refusal(StrEnum):
    """Whose fault a refusal is, which decides who must act."""

    INPUT = "input"  # this payment can never start: it fails
    CUSTOMER_GONE = "customer_gone"  # the provider forgot the customer: make a new one
    CONFIGURATION = "configuration"  # keys or rights: an operator must act, the payment waits
    BUG = "bug"  # we broke the provider's contract: an operator must act, the payment waits
    KEY_CONFLICT = "key_conflict"  # our key came with other words: an operator must look what it made

    @property
    def settles_call(self) -> bool:
        """Whether nothing can have come of any sending under the same key, so that a new key is safe.

        Rights and keys are checked before the provider looks at what it did for a key: refused there, an earlier
        sending whose answer was lost may still have been executed.
        """
        return self in (Refusal.INPUT, Refusal.CUSTOMER_GONE, Refusal.BUG)


class RequestRefused(ProviderError):
    """The provider understood and said no; nothing was executed."""

    code = "request_refused"

    def __init__(self, message: str, *, refusal: Refusal, code: str | None = None, subject: str | None = None) -> None:
        super().__init__(message, code=code, subject=subject)
        self.refusal = refusal


class OperationNotSupported(ProviderError):
    """The provider offers no such operation."""

    code = "operation_not_supported"
