"""English."""

from payproc.database.models import EmailKind
from payproc.domain import languages
from payproc.outgoing.mail.languages.vocabulary import Method, Said, Vocabulary
from payproc.providers.easy_paisa import EASY_PAISA
from payproc.providers.jazz_cash import JAZZ_CASH
from payproc.providers.stripe import STRIPE

_BACK = "It returns to where you paid from."
_SOME_DAYS = "It can take some days until you see it there."
_BY_BANK = (_BACK, "Your bank may take 5 to 10 business days to show it.")
_BY_WALLET = ("It returns to you through {method}.", _SOME_DAYS)

ENGLISH = Vocabulary(
    language=languages.ENGLISH,
    greeting="Dear {name},",
    messages={
        EmailKind.RECEIPT: Said(
            subject="Receipt: {amount}, {reference}",
            heading="Receipt",
            lines=("Thank you. We have received your payment.",),
            amount="Amount",
            moment="Paid on",
        ),
        EmailKind.FAILURE: Said(
            subject="Your payment did not go through: {amount}, {reference}",
            heading="Payment failed",
            lines=(
                "Your payment did not go through, and nothing you ordered with it is paid for. You can try again.",
                "If money has left your account for it all the same, write to us and name the reference below.",
            ),
            amount="Amount",
            moment="Failed on",
        ),
        EmailKind.REFUND: Said(
            subject="Refund: {amount}, {reference}",
            heading="Refund",
            lines=("We have given back {amount} of your payment.",),
            amount="Given back",
            moment="Given back on",
        ),
        EmailKind.REFUND_FAILED: Said(
            subject="Your refund did not reach you: {amount}, {reference}",
            heading="Refund failed",
            lines=(
                "We tried to give back {amount} of your payment, and could not.",
                "If we wrote before that it was given back, that no longer holds.",
                "We will be in touch with you about it. There is nothing you need to do.",
            ),
            amount="Not given back",
            moment="Failed on",
        ),
    },
    methods={
        STRIPE: Method(label="Card", returns=_BY_BANK),
        JAZZ_CASH: Method(label="JazzCash", returns=_BY_WALLET),
        EASY_PAISA: Method(label="Easypaisa", returns=_BY_WALLET),
    },
    other_method=Method(label="Wallet", returns=(_BACK, _SOME_DAYS)),
    merchant="Merchant",
    contact="Contact",
    description="For",
    order="Order",
    method="Method",
    reference="Reference",
    receipt="Receipt number",
    refund="Refund",
    test="This was a test payment: no money moved.",
    keep="Please keep this mail. If you write to us about this payment, name its reference.",
    moment="{day} {month} {year}, {clock} ({zone})",
)
