"""Every operation of the API, once for both clients: `Answer` is what one returns at once, or what is awaited."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Generic, TypeAlias, TypeVar
from urllib.parse import quote

from payproc_client.calls import Call, acting, creating, reading

Answer = TypeVar("Answer")
Items = TypeVar("Items")
Amount: TypeAlias = str | int | Decimal
Fields: TypeAlias = Mapping[str, Any]

_API = "/api/v1"


def _path(*parts: str) -> str:
    # An empty name would ask for the list instead.
    if not all(parts):
        raise ValueError("an id is needed")
    return "/".join((_API, *(quote(part, safe="") for part in parts)))


class Resource(Generic[Answer, Items]):
    """Operations on things of one kind, over a client's socket."""

    def __init__(self, send: Callable[[Call], Answer], each: Callable[[Call, str], Items]) -> None:
        self._send, self._each = send, each


class Orders(Resource[Answer, Items]):
    """What is to be paid."""

    def create(  # noqa: PLR0913 (as many as an order has)
        self,
        *,
        description: str | None = None,
        reference: str | None = None,
        amount: Amount | None = None,
        amount_minor: int | None = None,
        currency: str | None = None,
        customer: Fields | None = None,
        items: Iterable[Fields] | None = None,
        methods: Iterable[str] | None = None,
        expires_at: datetime | str | None = None,
        success_url: str | None = None,
        cancel_url: str | None = None,
        metadata: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
    ) -> Answer:
        """Make an order; send its customer to `pay_url`. Say `amount` ("1250.50") or `amount_minor` (125050)."""
        body = {
            "reference": reference,
            "amount": amount,
            "amount_minor": amount_minor,
            "currency": currency,
            "description": description,
            "customer": customer,
            "items": None if items is None else list(items),
            "methods": None if methods is None else list(methods),
            "expires_at": expires_at,
            "success_url": success_url,
            "cancel_url": cancel_url,
            "metadata": metadata,
        }
        return self._send(creating(f"{_API}/orders/", body, key=idempotency_key))

    def get(self, order: str) -> Answer:
        """Show an order, by its id or your reference, with `payments`: what was tried to pay it."""
        return self._send(reading(_path("orders", order)))

    def close(self, order: str) -> Answer:
        """End an order that nobody has paid."""
        return self._send(acting(f"{_path('orders', order)}/close"))

    def list(self, **query: Any) -> Answer:  # noqa: ANN401 (the API's own filters)
        """Show one page: `orders`, and `next_cursor` for the next."""
        return self._send(reading(f"{_API}/orders/", query))

    def each(self, **query: Any) -> Items:  # noqa: ANN401 (as above)
        """Go through all pages, newest first."""
        return self._each(reading(f"{_API}/orders/", query), "orders")


class Payments(Resource[Answer, Items]):
    """Attempts to be paid. Money goes by `checkout` or by a wallet; an order's page does it for you."""

    def checkout(self, *, wait: int | None = None, idempotency_key: str | None = None, **body: Any) -> Answer:  # noqa: ANN401 (as above)
        """Begin a card payment; `wait` (seconds) for its session."""
        return self._send(creating(f"{_API}/payments/checkout", body, key=idempotency_key, wait=wait))

    def jazz_cash(self, *, wait: int | None = None, idempotency_key: str | None = None, **body: Any) -> Answer:  # noqa: ANN401 (as above)
        """Begin a payment by JazzCash."""
        return self._send(creating(f"{_API}/payments/jazz-cash/initiate", body, key=idempotency_key, wait=wait))

    def easy_paisa(self, *, wait: int | None = None, idempotency_key: str | None = None, **body: Any) -> Answer:  # noqa: ANN401 (as above)
        """Begin a payment by Easypaisa."""
        return self._send(creating(f"{_API}/payments/easy-paisa/initiate", body, key=idempotency_key, wait=wait))

    def get(self, payment_id: str) -> Answer:
        """Show a payment."""
        return self._send(reading(_path("payments", payment_id)))

    def timeline(self, payment_id: str) -> Answer:
        """Say why it is in this state."""
        return self._send(reading(f"{_path('payments', payment_id)}/timeline"))

    def cancel(self, payment_id: str) -> Answer:
        """Call an open payment off. It may have been paid a moment ago."""
        return self._send(acting(f"{_path('payments', payment_id)}/cancel"))

    def refund(
        self,
        payment_id: str,
        *,
        amount: Amount | None = None,
        amount_minor: int | None = None,
        reason: str | None = None,
        wait: int | None = None,
        idempotency_key: str | None = None,
    ) -> Answer:
        """Give a payment's money back: all that is left, or an amount of it."""
        body = {"amount": amount, "amount_minor": amount_minor, "reason": reason}
        path = _path("payments", "refund", payment_id)
        return self._send(creating(path, body, key=idempotency_key, wait=wait))

    def refunds(self, payment_id: str) -> Answer:
        """Show its refunds."""
        return self._send(reading(f"{_path('payments', payment_id)}/refunds"))

    def list(self, *, metadata: Mapping[str, str] | None = None, **query: Any) -> Answer:  # noqa: ANN401 (as above)
        """Show one page: `payments`, and `next_cursor` for the next; `q` finds by whatever you have in hand."""
        return self._send(reading(f"{_API}/payments/", _filters(query, metadata)))

    def each(self, *, metadata: Mapping[str, str] | None = None, **query: Any) -> Items:  # noqa: ANN401 (as above)
        """Go through all pages, newest first."""
        return self._each(reading(f"{_API}/payments/", _filters(query, metadata)), "payments")


class Refunds(Resource[Answer, Items]):
    """Money given back."""

    def get(self, refund_id: str) -> Answer:
        """Show a refund."""
        return self._send(reading(_path("payments", "refund", refund_id)))


class Customers(Resource[Answer, Items]):
    """Who pays your orders."""

    def get(self, customer_id: str) -> Answer:
        """Show a customer."""
        return self._send(reading(_path("customers", customer_id)))

    def erase(self, customer_id: str) -> Answer:
        """Erase a customer's personal data; payments and books stay."""
        return self._send(acting(f"{_path('customers', customer_id)}/erase"))

    def list(self, **query: Any) -> Answer:  # noqa: ANN401 (as above)
        """Show one page: `customers`, and `next_cursor` for the next."""
        return self._send(reading(f"{_API}/customers/", query))

    def each(self, **query: Any) -> Items:  # noqa: ANN401 (as above)
        """Go through all pages, newest first."""
        return self._each(reading(f"{_API}/customers/", query), "customers")


class Disputes(Resource[Answer, Items]):
    """What customers' banks ask back."""

    def list(self, **query: Any) -> Answer:  # noqa: ANN401 (as above)
        """Show one page: `disputes`, and `next_cursor` for the next."""
        return self._send(reading(f"{_API}/disputes/", query))

    def each(self, **query: Any) -> Items:  # noqa: ANN401 (as above)
        """Go through all pages, newest first."""
        return self._each(reading(f"{_API}/disputes/", query), "disputes")


class Events(Resource[Answer, Items]):
    """All that webhooks tell, for whoever was away."""

    def get(self, event_id: str) -> Answer:
        """Show an event."""
        return self._send(reading(_path("events", event_id)))

    def list(self, *, after: str | None = None, **query: Any) -> Answer:  # noqa: ANN401 (as above)
        """Show those after the event `after`, oldest first: `events`."""
        return self._send(reading(f"{_API}/events/", {"after": after, **query}))

    def each(self, *, after: str | None = None, **query: Any) -> Items:  # noqa: ANN401 (as above)
        """Go through all after the event `after`, up to the newest."""
        return self._each(reading(f"{_API}/events/", {"after": after, **query}), "events")


class WebhookEndpoints(Resource[Answer, Items]):
    """Where events are delivered."""

    def create(self, *, url: str, event_types: Iterable[str] | None = None, description: str | None = None) -> Answer:
        """Make an endpoint; this answer alone has its `secret`. It knows no key, so it goes out once."""
        types = None if event_types is None else list(event_types)
        body = {"url": url, "event_types": types, "description": description}
        return self._send(acting(f"{_API}/webhook-endpoints/", body))

    def list(self) -> Answer:
        """Show all: `endpoints`."""
        return self._send(reading(f"{_API}/webhook-endpoints/"))

    def get(self, endpoint_id: str) -> Answer:
        """Show an endpoint."""
        return self._send(reading(_path("webhook-endpoints", endpoint_id)))

    def change(self, endpoint_id: str, **changes: Any) -> Answer:  # noqa: ANN401 (as above)
        """Change its url, event_types, description or state."""
        return self._send(acting(_path("webhook-endpoints", endpoint_id), changes, method="PATCH"))

    def delete(self, endpoint_id: str) -> Answer:
        """Delete an endpoint."""
        return self._send(acting(_path("webhook-endpoints", endpoint_id), method="DELETE"))

    def rotate_secret(self, endpoint_id: str) -> Answer:
        """Make a new secret; for a day deliveries are signed with both."""
        return self._send(acting(f"{_path('webhook-endpoints', endpoint_id)}/rotate-secret"))

    def test(self, endpoint_id: str) -> Answer:
        """Have a test event delivered."""
        return self._send(acting(f"{_path('webhook-endpoints', endpoint_id)}/test"))

    def replay(
        self,
        endpoint_id: str,
        *,
        since: datetime | str,
        until: datetime | str | None = None,
        event_types: Iterable[str] | None = None,
        state: str | None = None,
    ) -> Answer:
        """Have all of a span delivered once more, or those of some types, or in one state."""
        types = None if event_types is None else list(event_types)
        body = {"from": since, "to": until, "event_types": types, "state": state}
        return self._send(acting(f"{_path('webhook-endpoints', endpoint_id)}/replay", body))

    def deliveries(self, endpoint_id: str, **query: Any) -> Answer:  # noqa: ANN401 (as above)
        """Show one page of what was delivered: `deliveries`, and `next_cursor` for the next."""
        return self._send(reading(f"{_path('webhook-endpoints', endpoint_id)}/deliveries", query))

    def each_delivery(self, endpoint_id: str, **query: Any) -> Items:  # noqa: ANN401 (as above)
        """Go through all pages, newest first."""
        return self._each(reading(f"{_path('webhook-endpoints', endpoint_id)}/deliveries", query), "deliveries")


class WebhookDeliveries(Resource[Answer, Items]):
    """One event's way to one endpoint."""

    def get(self, delivery_id: str) -> Answer:
        """Show a delivery with its attempts."""
        return self._send(reading(_path("webhook-deliveries", delivery_id)))

    def replay(self, delivery_id: str) -> Answer:
        """Have it delivered once more."""
        return self._send(acting(f"{_path('webhook-deliveries', delivery_id)}/replay"))


class Staff(Resource[Answer, Items]):
    """What operators read."""

    def ledger(self, *, at: datetime | str | None = None) -> Answer:
        """Show what stands on each account."""
        return self._send(reading(f"{_API}/ledger", {"at": at}))

    def runs(self, **query: Any) -> Answer:  # noqa: ANN401 (as above)
        """Show one page of reconciliation runs: `runs`."""
        return self._send(reading(f"{_API}/reconciliation", query))

    def run(self, run_id: str) -> Answer:
        """Show a run."""
        return self._send(reading(_path("reconciliation", run_id)))

    def findings(self, **query: Any) -> Answer:  # noqa: ANN401 (as above)
        """Show one page of differences: `findings`."""
        return self._send(reading(f"{_API}/reconciliation/findings", query))

    def each_finding(self, **query: Any) -> Items:  # noqa: ANN401 (as above)
        """Go through all pages of differences, newest first."""
        return self._each(reading(f"{_API}/reconciliation/findings", query), "findings")

    def drift(self, *, days: int | None = None) -> Answer:
        """Show each day's differences by kind."""
        return self._send(reading(f"{_API}/reconciliation/drift", {"days": days}))

    def health(self) -> Answer:
        """Say whether the processor is alive."""
        return self._send(reading("/healthz"))

    def readiness(self) -> Answer:
        """Say whether it can serve."""
        return self._send(reading("/readyz"))


def _filters(query: Fields, metadata: Mapping[str, str] | None) -> dict[str, Any]:
    return {**query, **{f"metadata[{name}]": value for name, value in (metadata or {}).items()}}
