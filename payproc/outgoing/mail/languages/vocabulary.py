"""What every language of our mails must be able to say."""

from collections.abc import Mapping
from dataclasses import dataclass

from payproc.database.models import EmailKind
from payproc.domain.languages import Language
from payproc.domain.payment_methods import PaymentMethod

# What customers are told; operators are written to in English.
TOLD_TO_CUSTOMERS = (EmailKind.RECEIPT, EmailKind.FAILURE, EmailKind.REFUND, EmailKind.REFUND_FAILED)


@dataclass(frozen=True, kw_only=True)
class Said:
    """A kind of mail's words. `amount` names the amount beside it, `moment` the time of what happened."""

    subject: str  # {amount} {reference}
    heading: str
    lines: tuple[str, ...]
    amount: str
    moment: str


@dataclass(frozen=True, kw_only=True)
class Method:
    """A way to pay: what it is called, and how money that is given back returns by it."""

    label: str
    returns: tuple[str, ...]  # {method}


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """All the words of one language."""

    language: Language

    greeting: str  # {name}
    messages: Mapping[EmailKind, Said]
    methods: Mapping[PaymentMethod, Method]
    other_method: Method
    merchant: str
    contact: str
    description: str
    order: str
    method: str
    reference: str
    receipt: str
    refund: str
    test: str
    keep: str

    moment: str  # as `Language.moment` takes it

    def method_of(self, method: PaymentMethod) -> Method:
        """Return the words of a way to pay; one we have none for has those that are true of any."""
        return self.methods.get(method, self.other_method)
