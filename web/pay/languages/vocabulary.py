"""What every language must be able to say."""

from collections.abc import Mapping
from dataclasses import dataclass

from payproc.domain.languages import Language
from payproc.domain.payment_methods import PaymentMethod
from payproc.outgoing.decline_reasons import DeclineReason
from payproc.providers.requests import StartMode
from web.pay.order_state import OrderPageState
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
class OrderWords:
    """What the page of an order says beside the words of every page."""

    states: Mapping[OrderPageState, Said]
    hints: Mapping[StartMode, str]  # what happens when a way is chosen
    # By the codes of `errors.InvalidRequest`.
    problems: Mapping[str, str]

    items: str
    phone_label: str
    phone_known: str
    cnic_label: str
    cnic_hint: str
    pay: str
    way_refused: str
    too_many: str
    go_on: str  # with what has begun
    call_off: str
    left: str
    asked_within: str
    ends_by: str
    receipt_to: str
    scan: str
    another_way: str  # from a payment's page
    see_order: str


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """All the words of one language.

    What stands in braces is put in when it is said: {actor}, {phone}, {amount}, {reference}, {moment}, {zone},
    {minutes}, {seconds}, {method}, {address}.
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

    order: OrderWords

    moment: str  # as `Language.moment` takes it

    def wallet(self, method: PaymentMethod) -> Wallet:
        """Return what a provider is called; one we have no name for is called what it is."""
        return self.wallets.get(method, self.other_wallet)
