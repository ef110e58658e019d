"""Which parameters each call takes. What is not here is refused, as Stripe refuses it."""

from collections.abc import Mapping

from sandbox.stripe.account.after_payment import EVIDENCE
from sandbox.stripe.api.parameters import Email, Field, Flag, Group, Metadata, Series, Span, Text, Url, Whole

# The release that replaced `payment_method_types` by `allowed_payment_method_types`.
ENDIVE = "2026-09-30"

# Stripe's own list is longer; these are the ones a payment page of ours could ask for.
LOCALES = frozenset(
    {
        "auto",
        "ar",
        "de",
        "en",
        "en-GB",
        "es",
        "fr",
        "hi",
        "it",
        "ja",
        "nl",
        "pl",
        "pt",
        "pt-BR",
        "sv",
        "tr",
        "ur",
        "zh",
    }
)

EXPAND = Series(of=Text(longest=200), longest=20)
PAGING: Mapping[str, Field] = {
    "limit": Whole(least=1, most=100),
    "starting_after": Text(),
    "ending_before": Text(),
    "expand": EXPAND,
}
RETRIEVE = Group(fields={"expand": EXPAND})
NOTHING = Group()

ADDRESS = Group(
    fields={name: Text(unsettable=True) for name in ("city", "country", "line1", "line2", "postal_code", "state")}
)
CUSTOMER = Group(
    fields={
        "address": ADDRESS,
        "description": Text(unsettable=True),
        "email": Email(unsettable=True),
        "expand": EXPAND,
        "metadata": Metadata(),
        "name": Text(longest=256, unsettable=True),
        "phone": Text(longest=20, unsettable=True),
    }
)
CUSTOMERS = Group(fields={**PAGING, "email": Text(), "created": Span()})

PRODUCT_DATA = Group(
    required=True,
    fields={
        "description": Text(),
        "images": Series(of=Url(), longest=8),
        "metadata": Metadata(),
        "name": Text(required=True),
        "tax_code": Text(),
    },
)
PRICE_DATA = Group(
    required=True,
    fields={
        "currency": Text(required=True),
        "product_data": PRODUCT_DATA,
        "tax_behavior": Text(choices=frozenset({"exclusive", "inclusive", "unspecified"})),
        "unit_amount": Whole(required=True),
    },
)
LINE_ITEM = Group(fields={"price_data": PRICE_DATA, "quantity": Whole(least=1, required=True)})
PAYMENT_INTENT_DATA = Group(
    fields={
        "capture_method": Text(choices=frozenset({"automatic", "automatic_async"})),
        "description": Text(longest=1000),
        "metadata": Metadata(),
        "receipt_email": Email(),
        "setup_future_usage": Text(choices=frozenset({"off_session", "on_session"})),
        "statement_descriptor": Text(longest=22),
        "statement_descriptor_suffix": Text(longest=22),
        "transfer_group": Text(),
    }
)
SESSION: Mapping[str, Field] = {
    "allow_promotion_codes": Flag(),
    "billing_address_collection": Text(choices=frozenset({"auto", "required"})),
    "cancel_url": Url(),
    "client_reference_id": Text(longest=200),
    "customer": Text(),
    "customer_creation": Text(choices=frozenset({"if_required"})),
    "customer_email": Email(),
    "expand": EXPAND,
    "expires_at": Whole(),
    "line_items": Series(of=LINE_ITEM, required=True),
    "locale": Text(choices=LOCALES),
    "metadata": Metadata(),
    "mode": Text(choices=frozenset({"payment"}), required=True),
    "payment_intent_data": PAYMENT_INTENT_DATA,
    "submit_type": Text(choices=frozenset({"auto", "book", "donate", "pay"})),
    "success_url": Url(required=True),
    "ui_mode": Text(choices=frozenset({"hosted_page"})),
}
METHOD_TYPES = Series(of=Text(), longest=50)

SESSIONS = Group(
    fields={
        **PAGING,
        "created": Span(),
        "customer": Text(),
        "payment_intent": Text(),
        "status": Text(choices=frozenset({"complete", "expired", "open"})),
    }
)
REFUND_REASONS = frozenset({"duplicate", "fraudulent", "requested_by_customer"})
REFUND = Group(
    fields={
        "amount": Whole(least=1),
        "charge": Text(),
        "expand": EXPAND,
        "instructions_email": Email(),
        "metadata": Metadata(),
        "payment_intent": Text(),
        "reason": Text(choices=REFUND_REASONS),
    }
)
METADATA = Group(fields={"expand": EXPAND, "metadata": Metadata()})
DISPUTE = Group(
    fields={
        "evidence": Group(fields={name: Text(longest=20_000, unsettable=True) for name in EVIDENCE}),
        "expand": EXPAND,
        "metadata": Metadata(),
        "submit": Flag(),
    }
)
ABOUT_A_CHARGE = Group(fields={**PAGING, "charge": Text(), "created": Span(), "payment_intent": Text()})

PAYMENT_INTENTS = Group(fields={**PAGING, "created": Span(), "customer": Text()})
CHARGES = Group(
    fields={**PAGING, "created": Span(), "customer": Text(), "payment_intent": Text(), "transfer_group": Text()}
)
BALANCE_TRANSACTIONS = Group(
    fields={**PAGING, "created": Span(), "currency": Text(), "payout": Text(), "source": Text(), "type": Text()}
)
PAYOUTS = Group(
    fields={
        **PAGING,
        "arrival_date": Span(),
        "created": Span(),
        "destination": Text(),
        "status": Text(choices=frozenset({"canceled", "failed", "in_transit", "paid", "pending"})),
    }
)
EVENTS = Group(
    fields={
        **PAGING,
        "created": Span(),
        "delivery_success": Flag(),
        "type": Text(),
        "types": Series(of=Text(), longest=20),
    }
)

ENDPOINT_CHANGES = Group(
    fields={
        "description": Text(unsettable=True),
        "disabled": Flag(),
        "enabled_events": Series(of=Text()),
        "expand": EXPAND,
        "metadata": Metadata(),
        "url": Url(),
    }
)
ENDPOINT = Group(
    fields={
        "api_version": Text(),
        "connect": Flag(),
        "description": Text(unsettable=True),
        "enabled_events": Series(of=Text(), required=True),
        "expand": EXPAND,
        "metadata": Metadata(),
        "url": Url(required=True),
    }
)
ENDPOINTS = Group(fields=PAGING)


def session(version: str) -> Group:
    """Return what session creation takes under the given API version (`YYYY-MM-DD.name`)."""
    name = "allowed_payment_method_types" if version[:10] >= ENDIVE else "payment_method_types"
    return Group(fields={**SESSION, name: METHOD_TYPES})
