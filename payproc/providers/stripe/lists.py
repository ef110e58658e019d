"""What Stripe has of this account, page by page."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

from payproc.domain.references import Reference
from payproc.domain.settlement import RemoteDispute, RemoteRefund, SettlementLine
from payproc.errors import NoSuchObject, UnreadableAnswer
from payproc.providers.listing import Page, RemoteEvent, RemotePayment, RemotePayout, Window
from payproc.providers.stripe import notices
from payproc.providers.stripe.client import StripeApi
from payproc.providers.stripe.wire import balance, pages

Json = Mapping[str, Any]
Item = TypeVar("Item")

# A line names a charge, which we may not have heard of yet; the charge names its intent.
_WITH_SOURCES = {"expand": ["data.source"]}


class StripeListing:
    """Listing (`payproc.providers.listing`) over Stripe's lists."""

    listed_by = Reference.STRIPE_PAYMENT_INTENT
    lines_name = Reference.STRIPE_CHARGE

    def __init__(self, api: StripeApi) -> None:
        self._api = api

    def list_events(self, window: Window, *, cursor: str | None) -> Page[RemoteEvent]:
        """List the events we read. Stripe forgets them after 30 days, and then refuses them as cursors too."""
        asked = pages.page_within(window, cursor=cursor) | {"types": list(notices.KINDS)}
        return pages.page(self._api.events(asked), pages.event)

    def list_payments(self, window: Window, *, cursor: str | None) -> Page[RemotePayment]:
        """List payment intents: a session that nobody tried to pay has none."""
        return pages.page(self._api.intents(pages.page_within(window, cursor=cursor)), pages.payment)

    def list_refunds(self, window: Window, *, cursor: str | None) -> Page[RemoteRefund]:
        """List refunds, those made in the Dashboard too."""
        return pages.page(self._api.refunds(pages.page_within(window, cursor=cursor)), pages.refund)

    def list_disputes(self, window: Window, *, cursor: str | None) -> Page[RemoteDispute]:
        """List disputes as they stand now."""
        read = partial(pages.dispute, reported_at=_this_second())
        return pages.page(self._api.disputes(pages.page_within(window, cursor=cursor)), read)

    def list_lines(self, window: Window, *, cursor: str | None) -> Page[SettlementLine]:
        """List balance transactions. None names its payout here: only a payout's own list does."""
        asked = pages.page_within(window, cursor=cursor) | _WITH_SOURCES
        return pages.page(self._api.lines(asked), balance.line)

    def list_payouts(self, window: Window, *, cursor: str | None) -> Page[RemotePayout]:
        """List payouts."""
        return pages.page(self._api.payouts(pages.page_within(window, cursor=cursor)), pages.payout)

    def list_payout_lines(self, payout_id: str, *, cursor: str | None) -> Page[SettlementLine]:
        """List the balance transactions of an automatic payout, its own among them.

        Raises RequestRefused for a manual one.
        """
        found = pages.page(self._api.lines_of(payout_id, pages.page_after(cursor) | _WITH_SOURCES), balance.line)
        return replace(found, items=tuple(replace(line, payout=payout_id) for line in found.items))

    def payment(self, provider_id: str) -> RemotePayment | None:
        """Show one payment intent; None where Stripe has no such."""
        return _shown(self._api.intent, provider_id, pages.payment)

    def refund_of(self, provider_id: str) -> RemoteRefund | None:
        """Show one refund; None where Stripe has no such."""
        return _shown(self._api.refund, provider_id, pages.refund)

    def dispute(self, provider_id: str) -> RemoteDispute | None:
        """Show one dispute as it stands now; None where Stripe has no such."""
        return _shown(self._api.dispute, provider_id, partial(pages.dispute, reported_at=_this_second()))


def _this_second() -> datetime:
    # Taken before we ask, and cut to the second as the time of an event is: what happens while we ask must not look
    # older than what we were told.
    return datetime.now(UTC).replace(microsecond=0)


def _shown(ask: Callable[[str], Json], provider_id: str, read: Callable[[Json], Item | None]) -> Item | None:
    try:
        answer = ask(provider_id)
    except NoSuchObject:
        return None
    found = read(answer)
    if found is None:
        # It is there: "no such" would be a lie about money.
        raise UnreadableAnswer(f"Stripe shows {provider_id} in a way that we cannot read")
    return found
