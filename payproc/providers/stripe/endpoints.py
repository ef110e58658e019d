"""Webhook endpoints: what we ask for, and what stands there, read. Pure functions."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from payproc.providers.stripe.notices import KINDS
from payproc.providers.stripe.wire import checkout

Json = Mapping[str, Any]

_ALL = "*"
_MARK = {"payproc": "webhook"}


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Where Stripe brings events. `api_version` is None where it is the account's; `created` is UTC."""

    id: str
    url: str
    events: frozenset[str]
    api_version: str | None
    enabled: bool
    created: datetime
    of_platform: bool

    def leads_to(self, address: str) -> bool:
        """Whether its deliveries come to our address; a query there distinguishes endpoints, and is not read."""
        return not self.of_platform and urlsplit(self.url)._replace(query="", fragment="").geturl() == address


def endpoint(found: Json) -> Endpoint | None:
    """Read an endpoint; None where it has no id, address or time that we can read."""
    endpoint_id, url, created = (
        checkout.text(found.get("id")),
        checkout.text(found.get("url")),
        checkout.moment(found.get("created")),
    )
    if not endpoint_id or not url or created is None:
        return None
    listed = found.get("enabled_events")
    return Endpoint(
        id=endpoint_id,
        url=url,
        events=frozenset(map(str, listed)) if isinstance(listed, list) else frozenset(),
        api_version=checkout.text(found.get("api_version")),
        enabled=found.get("status") == "enabled",
        created=created,
        of_platform=found.get("application") is not None,
    )


def current(ours: Iterable[Endpoint]) -> Endpoint | None:
    """Return which of our endpoints counts: the newest that brings anything."""
    return max(ours, key=lambda each: (each.enabled, each.created, each.id), default=None)


def differences(found: Endpoint) -> Iterator[str]:
    """Say what can be changed of an endpoint so that it brings what we read, and no more."""
    if not found.enabled:
        yield "it is disabled"
    lacking, besides = set(KINDS) - found.events, found.events - set(KINDS)
    if _ALL in found.events:
        yield "it sends every event, and most concern no payment"
        return
    if lacking:
        yield f"it does not send {', '.join(sorted(lacking))}"
    if besides:
        yield f"it also sends {', '.join(sorted(besides))}"


def other_version(found: Endpoint, api_version: str) -> str | None:
    """Say where an endpoint renders events in another version than we read: nobody can change that of it."""
    if found.api_version == api_version:
        return None
    return f"its events are of {found.api_version or 'whichever version the account has'}; {api_version} is read here"


def new_parameters(url: str, *, api_version: str) -> dict[str, Any]:
    """Words for a new endpoint."""
    return {
        "url": url,
        "enabled_events": list(KINDS),
        "api_version": api_version,
        "description": "payproc",
        "metadata": _MARK,
    }


def fitting_parameters() -> dict[str, Any]:
    """Words that make an endpoint bring what we read."""
    return {"enabled_events": list(KINDS), "disabled": False}
