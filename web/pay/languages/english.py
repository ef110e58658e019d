"""English."""

from payproc.domain import languages
from payproc.operations.decline_reasons import DeclineReason
from payproc.providers.easy_paisa import EASY_PAISA
from payproc.providers.jazz_cash import JAZZ_CASH
from payproc.providers.stripe import STRIPE
from web.pay.languages.vocabulary import Said, Vocabulary, Wallet
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
    moment="{day} {month} {year}, {half_day_clock} {part}",
)
