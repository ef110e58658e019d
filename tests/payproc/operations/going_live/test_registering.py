"""Stripe is told where we are: against the simulator's wire, and over the SDK."""

from collections.abc import Callable
from typing import Any

import pytest
import requests
from pydantic import SecretStr

from payproc.errors import Conflict, NotFound
from payproc.operations.going_live import registering
from payproc.providers.stripe import STRIPE
from payproc.providers.stripe.account import StripeAccount
from payproc.providers.stripe.client import StripeApi
from payproc.providers.stripe.notices import KINDS
from payproc.providers.stripe.settings import StripeSettings, config_of, webhook_address
from payproc.providers.transport.circuit_breakers import CircuitBreakers
from tests.support.serving import Front
from tests.support.waiting import wait_until
from tests.support.world import World
from web.app import create_app

BASE = "https://pay.example.com"
ADDRESS = webhook_address(BASE)
VERSION = "2026-10-28.endive"

MakeAccount = Callable[..., StripeAccount]


@pytest.fixture
def account_at(world: World) -> MakeAccount:
    def make(base_url: str = BASE) -> StripeAccount:
        settings = world.app.settings
        assert isinstance(settings, StripeSettings)
        config = config_of(settings)
        api = StripeApi(config, CircuitBreakers(STRIPE, longest_rest=config.read_timeout))
        return StripeAccount(config, api, address=webhook_address(base_url))

    return make


@pytest.fixture
def account(account_at: MakeAccount) -> StripeAccount:
    return account_at()


def at_stripe(world: World) -> list[dict[str, Any]]:
    """What stands there, newest first."""
    return [each.to_dict() for each in world.stripe().v1.webhook_endpoints.list({"limit": 100}).data]


def made_by_hand(world: World, **changes: Any) -> str:
    parameters: Any = {"url": ADDRESS, "enabled_events": list(KINDS), "api_version": VERSION, **changes}
    return world.stripe().v1.webhook_endpoints.create(parameters).id


def test_an_endpoint_is_made_once_with_what_is_read_in_the_version_it_is_read_in(
    world: World, account: StripeAccount
) -> None:
    first = registering.register(account, replace=False)
    assert first.fits
    assert first.secret is not None
    assert first.secret.startswith("whsec_")
    assert first.secret not in repr(first)
    [endpoint] = at_stripe(world)
    assert (endpoint["url"], endpoint["api_version"]) == (ADDRESS, VERSION)
    assert sorted(endpoint["enabled_events"]) == sorted(KINDS)

    again = registering.register(account, replace=False)
    assert (again.secret, again.done, again.fits) == (None, [], True)
    assert at_stripe(world) == [endpoint]


def test_a_dry_run_says_what_would_be_done_and_does_nothing(world: World, account: StripeAccount) -> None:
    assert registering.look(account, replace=False).done == ["would make an endpoint"]
    endpoint_id = made_by_hand(world, enabled_events=["*"])
    before = at_stripe(world)
    [said] = registering.look(account, replace=False).done
    assert said.startswith(f"would change {endpoint_id}: it sends every event")
    assert at_stripe(world) == before


@pytest.mark.parametrize(
    ("events", "said"),
    [
        (["*"], "it sends every event"),
        (KINDS[1:], f"it does not send {KINDS[0]}"),
        ([*KINDS, "customer.created"], "it also sends customer.created"),
    ],
)
def test_ours_is_changed_to_fit_and_another_s_is_left_alone(
    world: World, account: StripeAccount, events: list[str], said: str
) -> None:
    made_by_hand(world, url="https://shop.example.com/hooks", enabled_events=["*"])
    made_by_hand(world, url=f"{ADDRESS}/2", enabled_events=["*"])
    others = at_stripe(world)
    endpoint_id = made_by_hand(world, enabled_events=list(events))
    world.stripe().v1.webhook_endpoints.update(endpoint_id, {"disabled": True})

    report = registering.register(account, replace=False)

    assert [f"did change {endpoint_id}: it is disabled", f"did change {endpoint_id}: {said}"] == [
        sentence[: len(f"did change {endpoint_id}: {said}")] for sentence in report.done
    ]
    [ours, *left] = at_stripe(world)
    assert left == others
    assert (sorted(ours["enabled_events"]), ours["status"]) == (sorted(KINDS), "enabled")
    assert [remark for _, remark in report.found] == ["ours", *["leads elsewhere: left alone"] * 2]
    assert report.fits


def test_an_endpoint_of_another_version_is_replaced_and_then_retired(world: World, account: StripeAccount) -> None:
    old = made_by_hand(world, api_version="2024-04-10")
    report = registering.register(account, replace=False)
    assert (report.fits, report.secret) == (False, None)
    with pytest.raises(Conflict, match="nothing would bring"):
        registering.retire(account, old)

    report = registering.register(account, replace=True)
    assert report.fits
    assert report.secret
    assert report.found[1][1] == f"ours, replaced: `setup stripe --retire {old}`"
    # Until somebody says so both bring every event.
    assert [(each["url"], each["status"]) for each in at_stripe(world)] == [
        (f"{ADDRESS}?replaces={old}", "enabled"),
        (ADDRESS, "enabled"),
    ]

    registering.retire(account, old)
    assert [each["status"] for each in at_stripe(world)] == ["enabled", "disabled"]
    assert registering.register(account, replace=False).done == []


def test_what_is_not_ours_cannot_be_retired(world: World, account: StripeAccount) -> None:
    other = made_by_hand(world, url="https://shop.example.com/hooks")
    registering.register(account, replace=False)
    with pytest.raises(NotFound):
        registering.retire(account, other)


def test_while_one_takes_another_s_place_each_event_is_kept_once(world: World, account_at: MakeAccount) -> None:
    front = Front()
    account = account_at(front.url)
    try:
        old = registering.register(account, replace=False).secret
        new = registering.register(account, replace=True).secret
        assert old
        assert new
        signed_by_either = world.with_settings(stripe_webhook_secret=_secrets(old, new))
        front.app = create_app(signed_by_either.app)
        payment = world.started()
        world.act(payment, "pay")

        def told() -> bool:
            rows = requests.get(f"{world.gateway.base_url}/_sandbox/deliveries", timeout=5).json()
            return len(rows) == 4 and {row["state"] for row in rows} == {"delivered"}

        wait_until(told, what="both endpoints' deliveries")
        assert sorted(notice.kind for notice in world.notices()) == [
            "checkout.session.completed",
            "payment_intent.succeeded",
        ]
    finally:
        front.clear()
        front.stop()


def _secrets(*values: str) -> Any:
    return tuple(SecretStr(value) for value in values)
