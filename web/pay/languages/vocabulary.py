"""What every language must be able to say."""

from collections.abc import Mapping
from dataclasses import dataclass

from payproc.domain.languages import Language
from payproc.domain.payment_methods import PaymentMethod
from payproc.operations.decline_reasons import DeclineReason
from web.pay.state import PageState


@dataclass(frozen=True, kw_only=True)
class Wallet:
    """A provider's name: `label` beside the amount, `actor` inside a sentence."""

    label: str
    actor: str


@dataclass(frozen=True, kw_only=True)
class Said:
    """The words of a page state."""

    heading: str
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """All the words of one language.

    What stands in braces is put in when it is said: {actor}, {phone}, {amount}, {reference}, {moment}, {zone},
    {minutes}, {seconds}.
    """

    language: Language

    language_switch: str
    amount: str
    merchant: str
    contact: str
    description: str
    method: str
    phone: str
    reference: str
    receipt: str
    test: str
    footer: str

    states: Mapping[PageState, Said]
    reasons: Mapping[DeclineReason, str]
    wallets: Mapping[PaymentMethod, Wallet]
    other_wallet: Wallet

    push_without_phone: str
    mpin: str
    token: str
    pay_until: str
    nothing_charged: str
    if_money_left: str

    go_on: str  # to the wallet
    go_on_again: str
    open_page: str
    already_approved: str
    asked_again: str
    call_off: str
    being_called_off: str
    goes_on: str
    back_to_shop: str
    try_again: str
    close_page: str
    leaving_in: str
    stay: str
    no_connection: str

    moment: str  # as `Language.moment` takes it

    def wallet(self, method: PaymentMethod) -> Wallet:
        """Return what a provider is called; one we have no name for is called what it is."""
        return self.wallets.get(method, self.other_wallet)
