"""What a provider says of a payment, in frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from payproc.domain.money import Money
from payproc.domain.references import References


class Verdict(StrEnum):
    """What a provider's answer means for the payment. Whatever is not listed there is UNKNOWN, never DECLINED."""

    PAID = "paid"
    PROCESSING = "processing"
    PENDING = "pending"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REVERSED = "reversed"  # it was paid and the money went back
    UNKNOWN = "unknown"

    def backed_by(self, money: Money | None) -> "Verdict":
        """Return what is left of it: "paid" without an amount we can read cannot be held against what we asked for."""
        return Verdict.UNKNOWN if self is Verdict.PAID and money is None else self


@dataclass(frozen=True, kw_only=True)
class Redirect:
    """The customer's browser goes to `url`."""

    url: str


@dataclass(frozen=True, kw_only=True)
class PostForm:
    """The customer's browser posts these fields, in this order, to `url`. They may be signed: send them as they are.

    `sites` are where the gateway may move the browser on from there, as a content security policy names them;
    `return_url` is where it sends the browser in the end.
    """

    url: str
    fields: Mapping[str, str] = field(repr=False)
    sites: tuple[str, ...] = ()
    return_url: str | None = None


@dataclass(frozen=True, kw_only=True)
class AwaitCustomer:
    """The customer acts outside the browser: approves on the phone, or pays `token` in cash at a shop."""

    token: str | None = None


NextAction = Redirect | PostForm | AwaitCustomer


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What we learned about a payment.

    `money` and `live_mode` are what the provider says was paid, to be held against what we asked for;
    None where it does not say. `receipt` is the number on the customer's own statement. `doubt` says why "paid" may be
    about somebody else's payment; then a person decides.
    """

    verdict: Verdict
    references: References = field(default_factory=dict)
    money: Money | None = None
    live_mode: bool | None = None
    failure_code: str | None = None
    failure_message: str | None = None
    receipt: str | None = None
    doubt: str | None = None


@dataclass(frozen=True, kw_only=True)
class StartResult:
    """A payment that has begun: what the customer does next (None when they have done it), and until when.

    `outcome` is there where the answer already tells how it ended; UNKNOWN means "ask now".
    """

    next_action: NextAction | None
    references: References
    expires_at: datetime | None = None
    outcome: Outcome | None = None
