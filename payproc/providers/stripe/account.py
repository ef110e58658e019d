"""The merchant's account at Stripe: its webhook endpoints, and what our key may do there."""

import json
import secrets
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import stripe

from payproc.errors import UnreadableOutcome
from payproc.providers.inspection import Finding, Look, fine, missing, note
from payproc.providers.stripe import endpoints, notices
from payproc.providers.stripe.client import StripeApi
from payproc.providers.stripe.endpoints import Endpoint
from payproc.providers.stripe.settings import StripeConfig
from payproc.providers.stripe.wire import checkout, pages

# What Stripe's list of the rights of a restricted key calls them is near to these; `charges` is read within intents.
_READ = (
    "balance_transactions",
    "charges",
    "checkout/sessions",
    "customers",
    "disputes",
    "events",
    "payment_intents",
    "payouts",
    "refunds",
)
_WRITTEN = ("checkout/sessions", "customers", "refunds")
# A parameter that no call of Stripe's has: who may call is told so, and nothing is made.
_UNHEARD_OF = {"payproc_setup_check": "1"}
# A signature is taken for five minutes either way; half a minute of them is no longer an accident.
_MOST_SKEW = timedelta(seconds=30)
_TEST_KIND = "payproc.setup_check"


class StripeAccount:
    """What is set up once, by an operator."""

    def __init__(self, config: StripeConfig, api: StripeApi, *, address: str) -> None:
        self._config, self._api = config, api
        self.address, self.api_version = address, config.api_version

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Show every webhook endpoint, newest first."""
        found: list[Endpoint] = []
        cursor = None
        while True:
            page = pages.page(self._api.webhook_endpoints(pages.page_after(cursor)), endpoints.endpoint)
            found += page.items
            cursor = page.next_cursor
            if cursor is None:
                return tuple(found)

    def register(self, *, replaced: Endpoint | None) -> tuple[Endpoint, str]:
        """Make an endpoint that brings exactly what we read; return it and its secret, which Stripe says this once.

        Beside one that it replaces it has an address of its own, which leads here as well.
        """
        url = self.address if replaced is None else f"{self.address}?replaces={replaced.id}"
        made = self._api.create_webhook_endpoint(endpoints.new_parameters(url, api_version=self.api_version))
        return _read(made), str(made["secret"])

    def mend(self, endpoint: Endpoint) -> Endpoint:
        """Have an endpoint bring exactly what we read."""
        return _read(self._api.update_webhook_endpoint(endpoint.id, endpoints.fitting_parameters()))

    def retire(self, endpoint: Endpoint) -> Endpoint:
        """Have an endpoint bring nothing any more, nor try again what it could not bring."""
        return _read(self._api.update_webhook_endpoint(endpoint.id, {"disabled": True}))

    def test_event(self) -> tuple[str, bytes, Mapping[str, str]]:
        """Make an event that concerns no payment, signed as Stripe would sign it: its id, its body and its headers."""
        event_id = f"evt_payproc_{secrets.token_hex(8)}"
        now = int(datetime.now(UTC).timestamp())
        event = {
            "id": event_id,
            "object": "event",
            "type": _TEST_KIND,
            "created": now,
            "livemode": self._config.live_mode,
            "api_version": self.api_version,
            "data": {"object": {"id": event_id, "object": _TEST_KIND}},
        }
        body = json.dumps(event)
        signature = stripe.WebhookSignature.generate_signature_header(body, self._config.webhook_secrets[0], now)
        return event_id, body.encode(), {"Content-Type": "application/json", "Stripe-Signature": signature}

    def looks(self) -> Mapping[str, Look]:
        """Name what can be looked at without changing anything there. Each raises what the client raises."""
        return {
            "Stripe's key": self._look_at_key,
            "Stripe's webhook": self._look_at_endpoint,
            "Stripe's deliveries": self._look_at_deliveries,
            "clock": self._look_at_clock,
        }

    def _look_at_key(self) -> Finding:
        refused = list(self._refused())
        mode = "live" if self._config.live_mode else "test"
        if refused:
            return missing(
                f"the {mode} key may not {', '.join(refused)}",
                to_do="give the restricted key these rights in Stripe's Dashboard, Developers, API keys",
            )
        return fine(f"Stripe takes the {mode} key for all that is asked of it")

    def _refused(self) -> Iterable[str]:
        for path in _READ:
            if not self._api.may("get", f"/v1/{path}", {"limit": 1}):
                yield f"read {path}"
        for path in _WRITTEN:
            if not self._api.may("post", f"/v1/{path}", _UNHEARD_OF):
                yield f"write {path}"

    def _look_at_endpoint(self) -> Finding:
        if not self._api.may("get", "/v1/webhook_endpoints", {"limit": 1}):
            return note(
                "the key may not read webhook endpoints", to_do=f"see in the Dashboard that one leads to {self.address}"
            )
        ours = [each for each in self.endpoints() if each.leads_to(self.address)]
        found = endpoints.current(ours)
        if found is None:
            return missing(f"no endpoint leads to {self.address}", to_do="python -m payproc setup stripe")
        other = endpoints.other_version(found, self.api_version)
        if other is not None:
            return missing(f"{found.id}: {other}", to_do="python -m payproc setup stripe --replace")
        differing = list(endpoints.differences(found))
        if differing:
            return missing(f"{found.id}: {'; '.join(differing)}", to_do="python -m payproc setup stripe")
        return fine(f"{found.id} sends the {len(found.events)} events that are read, as of {self.api_version}")

    def _look_at_deliveries(self) -> Finding:
        asked: dict[str, Any] = {"types": list(notices.KINDS), "limit": 1}
        newest = _ids(self._api.events(asked))
        if not newest:
            return note("there was no event yet for Stripe to deliver", to_do="pay a test payment, and look again")
        if newest == _ids(self._api.events({**asked, "delivery_success": False})):
            return missing(
                f"Stripe could not deliver its newest event, {newest[0]}",
                to_do="compare STRIPE_WEBHOOK_SECRET with the endpoint's signing secret; is PUBLIC_BASE_URL reachable?",
            )
        return fine(f"Stripe has delivered its newest event, {newest[0]}")

    def _look_at_clock(self) -> Finding:
        said = self._api.date()
        try:
            # As whole seconds of theirs are cut, so are ours.
            skew = datetime.now(UTC).replace(microsecond=0) - parsedate_to_datetime(said)
        except (TypeError, ValueError):
            return note("Stripe's answer bore no date")
        seconds = round(skew.total_seconds())
        if abs(skew) > _MOST_SKEW:
            return missing(
                f"this machine's clock is {abs(seconds)} s {'ahead of' if seconds > 0 else 'behind'} Stripe's",
                to_do="let the machine keep time by NTP: signatures are taken for five minutes",
            )
        return fine(f"this machine's clock is within {abs(seconds) + 1} s of Stripe's")


def _read(answer: Mapping[str, Any]) -> Endpoint:
    found = endpoints.endpoint(answer)
    if found is None:
        raise UnreadableOutcome("Stripe answered with what is no webhook endpoint")
    return found


def _ids(page: Mapping[str, Any]) -> list[str]:
    return [name for each in page["data"] if isinstance(each, Mapping) and (name := checkout.text(each.get("id")))]
