"""English."""

from payproc.domain import languages
from payproc.outgoing.decline_reasons import DeclineReason
from payproc.providers.easy_paisa import EASY_PAISA
from payproc.providers.jazz_cash import JAZZ_CASH
from payproc.providers.requests import StartMode
from payproc.providers.stripe import STRIPE
from web.pay.languages.vocabulary import OrderWords, Said, Vocabulary, Wallet
from web.pay.order_state import OrderPageState
from web.pay.state import PageState

_STATES = {
    PageState.FORM: Said(
        heading="Pay with {actor}",
        lines=("You approve the payment on {actor}’s own page, and then come back here.",),  # noqa: RUF001 (an apostrophe)
    ),
    PageState.LEAVING: Said(heading="Taking you to {actor}…", lines=("If nothing happens, use the button.",)),
    PageState.AGAIN: Said(
        heading="Not finished yet",
        lines=("If you have approved the payment, wait here: this page changes by itself. If not, go on to {actor}.",),
    ),
    PageState.RETURNED: Said(
        heading="Waiting for {actor} to confirm",
        lines=(
            "This can take a few minutes. This page changes by itself.",
            "If you left before you had approved the payment, open {actor} again.",
        ),
    ),
    PageState.STUCK: Said(
        heading="This payment cannot go on here at the moment",
        lines=("Please ask the shop, and give this reference: {reference}.",),
    ),
    PageState.PUSH: Said(
        heading="Approve it on your phone",
        lines=(
            "A request from {actor} is on its way to {phone}. Check the amount there, and approve it with your MPIN.",
        ),
    ),
    PageState.WAITING: Said(
        heading="Waiting for {actor} to confirm",
        lines=(
            "If you have approved the payment on your phone, there is nothing more to do. This page changes by itself.",
            "If you saw no request, do not pay twice: wait until this payment has ended.",
        ),
    ),
    PageState.COUNTER: Said(
        heading="Pay in cash at a shop",
        lines=(
            "Go to a shop that takes payments for {actor}.",
            "Give this token, and pay {amount} in cash.",
            "Keep the slip. This page changes when the money has arrived.",
        ),
    ),
    PageState.REDIRECT: Said(
        heading="Go on to the payment page",
        lines=("You enter your details there, and not here.",),
    ),
    PageState.PREPARING: Said(heading="One moment…", lines=("Your payment is being prepared.",)),
    PageState.PROCESSING: Said(
        heading="The payment is being processed",
        lines=("It is with {actor} now, and that can take a while. This page changes by itself.",),
    ),
    PageState.SET_ASIDE: Said(
        heading="This payment is set aside",
        lines=(
            "Its order was paid in another way, has ended, or is being paid in another way now.",
            "If {actor} still asks you to approve this payment, decline it.",
        ),
    ),
    PageState.MISMATCH: Said(
        heading="The shop has to look at this payment",
        lines=(
            "A payment has arrived that is not the one asked for here.",
            "Please do not pay again. Ask the shop, and give this reference: {reference}.",
        ),
    ),
    PageState.COMPLETED: Said(heading="Payment received", lines=("Thank you. Your payment is complete.",)),
    PageState.FAILED: Said(heading="The payment did not go through"),
    PageState.CANCELLED: Said(heading="The payment was cancelled"),
    PageState.EXPIRED: Said(heading="The time to pay is over", lines=("No payment has reached us in time.",)),
    PageState.REFUNDED: Said(
        heading="The payment was refunded",
        lines=("The money goes back to where it came from. It can take some days until you see it there.",),
    ),
    PageState.FORWARD: Said(heading="One more step", lines=("Taking you back to {actor} to confirm the payment…",)),
    PageState.BACK: Said(
        heading="You are back from your wallet",
        lines=(
            "The shop will be told whether the payment was received.",
            "To follow it here, open the link that you began with.",
        ),
    ),
    PageState.UNKNOWN_LINK: Said(
        heading="We do not know this link",
        lines=("Check that the whole link was copied, or ask the shop for a new one.",),
    ),
    PageState.OUT_OF_REACH: Said(
        heading="Your payment cannot be shown right now",
        lines=("This page tries again by itself. Please do not pay a second time meanwhile.",),
    ),
}

_REASONS = {
    DeclineReason.LOW_BALANCE: "There was not enough money in the account.",
    DeclineReason.PIN: "The PIN was not accepted.",
    DeclineReason.NO_ANSWER: "The payment was not approved in time.",
    DeclineReason.LIMIT: "The amount is above what this account may pay at once or in a day.",
    DeclineReason.ACCOUNT: "This account cannot pay at the moment. Help with it is to be had from {actor}.",
    DeclineReason.CARD: "The card was not accepted. Another one may work.",
    DeclineReason.DETAILS: "The mobile number or the amount was not accepted by {actor}.",
    DeclineReason.UNREACHABLE: "There was no connection to {actor}.",
    DeclineReason.DECLINED: "It was not approved by {actor}.",
    DeclineReason.CANCELLED: "It was called off before it was approved.",
    DeclineReason.EXPIRED: "It was not approved in time.",
    DeclineReason.UNKNOWN: "It was not completed by {actor}.",
}

_ORDER_STATES = {
    OrderPageState.CHOOSE: Said(heading="How would you like to pay?"),
    OrderPageState.CHOOSE_ANOTHER: Said(
        heading="Choose another way to pay",
        lines=("So far {actor} says that nothing was paid. Do not approve that payment any more, or you pay twice.",),
    ),
    OrderPageState.NO_METHOD: Said(
        heading="This order cannot be paid here at the moment",
        lines=("Please ask the shop, and give this reference: {reference}.",),
    ),
    OrderPageState.OPEN: Said(
        heading="You have begun to pay",
        lines=("Way of paying: {method}. Go on with it, or cancel it and choose another way.",),
    ),
    OrderPageState.CALLING_OFF: Said(
        heading="Cancelling that payment…",
        lines=("Then you can choose again. If it was paid at the last moment, this page says so.",),
    ),
    OrderPageState.LEFT: Said(
        heading="You have begun to pay",
        lines=(
            "Way of paying: {method}. If you have approved it, wait: this page changes by itself.",
            "If you did not pay there, say so. Before you choose another way, {actor} is asked.",
        ),
    ),
    OrderPageState.ASKING: Said(
        heading="Was it paid? {actor} is asked",
        lines=("Please wait for the answer. To pay in another way before it is to risk paying twice.",),
    ),
    OrderPageState.WAIT: Said(
        heading="A payment is on its way",
        lines=(
            "Way of paying: {method}. It cannot be taken back from here. Decline on your phone what you do not want.",
            "When it has ended unpaid, you can choose another way. To pay sooner is to risk paying twice.",
        ),
    ),
    OrderPageState.RETURNED: Said(
        heading="Waiting for {actor} to confirm",
        lines=("This can take a moment. This page changes by itself.",),
    ),
    OrderPageState.MISMATCH: Said(
        heading="The shop has to look at this payment",
        lines=(
            "A payment has arrived that is not the one asked for here.",
            "Please do not pay again. Ask the shop, and give this reference: {reference}.",
        ),
    ),
    OrderPageState.PAID: Said(heading="Payment received", lines=("Thank you. This order is paid.",)),
    OrderPageState.PAID_TWICE: Said(
        heading="This order was paid twice",
        lines=(
            "Two payments have arrived for it. The shop has been told, and will refund one of them.",
            "There is nothing you have to do. If you ask the shop, give this reference: {reference}.",
        ),
    ),
    OrderPageState.REFUNDED: Said(
        heading="The payment was refunded",
        lines=("The money goes back to where it came from. It can take some days until you see it there.",),
    ),
    OrderPageState.EXPIRED: Said(
        heading="The time to pay is over",
        lines=("This link can be paid no more. If you still want to pay, ask the shop for a new one.",),
    ),
    OrderPageState.CLOSED: Said(
        heading="The shop has closed this order",
        lines=("It can be paid no more. If you think that is a mistake, ask the shop.",),
    ),
}

_ORDER = OrderWords(
    states=_ORDER_STATES,
    hints={
        StartMode.IDEMPOTENT: "You type the card’s number on the next page.",  # noqa: RUF001 (an apostrophe)
        StartMode.SINGLE_SHOT: "A request comes to your phone, and you approve it there with your MPIN.",
        StartMode.FORM_POST: "You approve it on a page of {actor}.",
    },
    problems={
        "phone_missing": "Type the mobile number of your {actor} account.",
        "phone_invalid": "This is not a Pakistani mobile number. Write it like 03001234567.",
        "cnic_missing": "Type the last six digits of your CNIC.",
        "cnic_invalid": "Type the last six digits of your CNIC, and digits only.",
    },
    items="Items",
    phone_label="Mobile number of your {actor} account",
    phone_known="Leave this empty to use {phone}.",
    cnic_label="Last six digits of your CNIC",
    cnic_hint="They go to {actor}, and nobody else sees them.",
    pay="Pay {amount}",
    way_refused="This way cannot be used at the moment. Please choose another one.",
    too_many="Too many requests were sent just now. Wait for some minutes, or choose another way.",
    go_on="Go on with this payment",
    call_off="Cancel it and choose another way",
    left="I did not pay there",
    asked_within="There is an answer within about {minutes} min.",
    ends_by="It ends by itself by {moment}, {zone}.",
    receipt_to="A receipt goes to {address}.",
    scan="Scan to go on with your phone",
    another_way="Pay in another way",
    see_order="See the order",
)

ENGLISH = Vocabulary(
    language=languages.ENGLISH,
    language_switch="Language",
    amount="Amount",
    merchant="To",
    contact="Contact",
    description="For",
    method="Method",
    phone="Mobile",
    reference="Reference",
    receipt="Receipt number",
    test="Test payment",
    footer="This page never asks for a PIN, an MPIN or a card number.",
    states=_STATES,
    reasons=_REASONS,
    wallets={
        JAZZ_CASH: Wallet(label="JazzCash", actor="JazzCash"),
        EASY_PAISA: Wallet(label="Easypaisa", actor="Easypaisa"),
        STRIPE: Wallet(label="Card", actor="your bank"),
    },
    other_wallet=Wallet(label="Wallet", actor="the wallet"),
    push_without_phone=(
        "A request from {actor} is on its way to your phone. Check the amount there, and approve it with your MPIN."
    ),
    mpin="Type your MPIN on your phone only. We never ask for it, and nobody else should.",
    token="Token",  # noqa: S106 (the word on a label)
    pay_until="Pay by {moment}, {zone}.",
    nothing_charged="Nothing was charged.",
    if_money_left="If money has left your account, tell the shop, and give this reference: {reference}.",
    go_on="Continue to {actor}",
    go_on_again="Open {actor} again",
    open_page="Open the payment page",
    already_approved="Approved already? See how the payment stands.",
    asked_again="We ask {actor} again within {minutes} min.",
    call_off="Cancel this payment",
    being_called_off="This payment is being called off.",
    goes_on="The payment goes on without this page. Do not pay again before it has ended.",
    back_to_shop="Back to the shop",
    try_again="Back to the shop to try again",
    close_page="You can close this page.",
    leaving_in="Taking you there in {seconds} s",
    stay="Stay here",
    no_connection="No connection right now. We keep trying.",
    order=_ORDER,
    moment="{day} {month} {year}, {half_day_clock} {part}",
)
