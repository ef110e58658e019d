"""Stripe's lists: what we ask of them, and what stands in them, read. Pure functions."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from payproc.domain.settlement import RemoteDispute, RemoteRefund
from payproc.errors import NoticeMalformed, UnreadableAnswer
from payproc.providers.listing import Page, PayoutStatus, RemoteEvent, RemotePayment, RemotePayout, Unreadable, Window
from payproc.providers.stripe.wire import checkout, disputes, events, refunds

Json = Mapping[str, Any]
Item = TypeVar("Item")

# The most that Stripe puts on a page.
_PAGE = 100
# What an unreadable object without an id is called.
NAMELESS = "an object without an id"

_PAYOUTS = {
    "pending": PayoutStatus.PENDING,
    "in_transit": PayoutStatus.PENDING,
    "paid": PayoutStatus.PAID,
    "failed": PayoutStatus.FAILED,
    "canceled": PayoutStatus.FAILED,
}


def page_after(cursor: str | None) -> dict[str, Any]:
    """Words for the page after `cursor`, an id; for the first page where it is None."""
    if cursor is None:
        return {"limit": _PAGE}
    if not cursor:
        # Stripe takes an empty one for none: the first page would come again and again.
        raise ValueError("an empty cursor leads nowhere")
    return {"limit": _PAGE, "starting_after": cursor}


def page_within(window: Window, *, cursor: str | None) -> dict[str, Any]:
    """Words for a page of what was created in `window`.

    Both ends are cut to the second, as Stripe's stamps are: rounded up, a second that has begun would be read half
    full and never again.
    """
    created = {"gte": int(window.begin.timestamp()), "lt": int(window.end.timestamp())}
    return {"created": created} | page_after(cursor)


def page(answer: Json, read: Callable[[Json], Item | None]) -> Page[Item]:
    """Read a page object by object; what `read` makes nothing of is named and stops nothing.

    Raises ProviderUnavailable where more follows and nothing says after what.
    """
    shown = [each if isinstance(each, Mapping) else {} for each in answer["data"]]
    items = [read(each) for each in shown]
    ids = [checkout.text(each.get("id")) for each in shown]
    return Page(
        items=tuple(item for item in items if item is not None),
        next_cursor=_last(ids) if answer["has_more"] else None,
        unreadable=tuple(_unreadable(each) for each, item in zip(shown, items, strict=True) if item is None),
    )


def _unreadable(found: Json) -> Unreadable:
    named = checkout.text(found.get("id")) or NAMELESS
    return Unreadable(name=named, created_at=checkout.moment(found.get("created")))


def _last(ids: list[str | None]) -> str:
    for named in reversed(ids):
        if named is not None:
            return named
    raise UnreadableAnswer("Stripe's page says that more follows, and names nothing")


def event(found: Json) -> RemoteEvent | None:
    """Read an event; None for what a delivery of it could not be stored as."""
    body = json.dumps(found).encode()
    created_at = checkout.moment(found.get("created"))
    try:
        key = events.parsed_event(body)["id"]
    except NoticeMalformed:
        return None
    return RemoteEvent(key=key, body=body, created_at=created_at) if created_at else None


def payment(intent: Json) -> RemotePayment | None:
    """Read a payment intent; None for what has no id, time or amount that we can read."""
    provider_id, created_at = checkout.text(intent.get("id")), checkout.moment(intent.get("created"))
    received = checkout.money(intent.get("amount_received"), intent.get("currency"))
    if provider_id is None or created_at is None or received is None:
        return None
    outcome = checkout.intent_outcome(intent)
    metadata = checkout.metadata(intent)
    return RemotePayment(
        provider_id=provider_id,
        references=outcome.references,
        outcome=outcome,
        created_at=created_at,
        payment_id=checkout.marked_payment(intent),
        reference=checkout.text(metadata.get("reference")),
        user_id=checkout.text(metadata.get(checkout.USER_ID)),
        order_id=checkout.text(metadata.get("order_id")),
        customer=checkout.id_of(intent.get("customer")),
    )


def refund(found: Json) -> RemoteRefund | None:
    """Read a refund; None for what has no id or amount that we can read."""
    read = refunds.remote(found)
    return read if read and read.money else None


def dispute(found: Json, *, reported_at: datetime) -> RemoteDispute | None:
    """Read a dispute as it stood at `reported_at` (UTC); None for what has no id or amount that we can read."""
    read = disputes.remote(found, reported_at=reported_at)
    return read if read and read.money else None


def payout(found: Json) -> RemotePayout | None:
    """Read a payout; None for what has no id, time or amount that we can read."""
    provider_id, created_at = checkout.text(found.get("id")), checkout.moment(found.get("created"))
    # Below zero where the merchant's bank was debited.
    money = checkout.money(found.get("amount"), found.get("currency"))
    if provider_id is None or created_at is None or money is None:
        return None
    return RemotePayout(
        provider_id=provider_id,
        money=money,
        # A word we do not know is no end.
        status=_PAYOUTS.get(str(found.get("status")), PayoutStatus.PENDING),
        # Of a manual payout Stripe never says which lines it is made of.
        itemised=found.get("automatic") is True and found.get("reconciliation_status") == "completed",
        created_at=created_at,
    )
