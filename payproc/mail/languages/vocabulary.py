"""What every language of our mails must be able to say."""

from collections.abc import Mapping
from dataclasses import dataclass

from payproc.database.models import EmailKind
from payproc.domain.languages import Language

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
class Vocabulary:
    """All the words of one language."""

    language: Language
    zone: str  # whose clock `moment` shows

    greeting: str  # {name}
    messages: Mapping[EmailKind, Said]
    description: str
    order: str
    reference: str
    refund: str
    test: str
    keep: str

    moment: str  # as `Language.moment` takes it
