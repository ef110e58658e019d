"""Payments that are there before a test begins, and what was told of them."""

from typing import Any

import stripe

from tests.sandbox.wire import Controls, session_params


def paid(client: stripe.StripeClient, controls: Controls, **params: object) -> stripe.Charge:
    """Pay a session and return its charge."""
    session = client.v1.checkout.sessions.create(session_params(**params))
    intent_id = controls.act(session.id, "pay")["session"]["payment_intent"]
    charge = client.v1.payment_intents.retrieve(intent_id, {"expand": ["latest_charge"]}).latest_charge
    assert isinstance(charge, stripe.Charge)
    return charge


def told(controls: Controls, *, after: str = "checkout.session.completed") -> list[str]:
    """Return the types of the events since the last one of type `after`, oldest first."""
    types = [event["type"] for event in controls.get("events")]
    return types[: types.index(after)][::-1] if after in types else types[::-1]


def create(client: stripe.StripeClient, key: str, **changes: Any) -> stripe.checkout.Session:
    params: Any = session_params(**changes)
    return client.v1.checkout.sessions.create(params, {"idempotency_key": key})


def sessions(client: stripe.StripeClient) -> int:
    return len(client.v1.checkout.sessions.list().data)
