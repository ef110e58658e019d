"""Thousands of paid payments in one go, for a test that has no day to pay them one by one."""

from collections.abc import Iterator
from dataclasses import dataclass

from sandbox.store import Json
from sandbox.stripe.account import objects
from sandbox.stripe.account.ledger import charge_line
from sandbox.stripe.account.objects import Method
from sandbox.stripe.simulator import Simulator

MOST = 1000


class NotASeedError(Exception):
    """What was sent describes no payments."""


@dataclass(frozen=True, kw_only=True)
class Seed:
    """One payment to be; the amount is in the minor unit, `created` in unix seconds."""

    payment_id: str
    reference: str
    amount: int
    currency: str
    created: int
    events: bool

    @property
    def metadata(self) -> Json:
        """What a merchant writes on everything that belongs to the payment."""
        return {"payment_id": self.payment_id, "reference": self.reference}


def read_seeds(sent: Json, *, now: int) -> list[Seed]:
    """Read `{"payments": […]}`; raises NotASeedError for more than 1000, and for what is no payment."""
    payments = sent.get("payments")
    if not isinstance(payments, list) or len(payments) > MOST:
        raise NotASeedError(f'send {{"payments": […]}} with at most {MOST} of them')
    return [_seed(number, told, now) for number, told in enumerate(payments)]


def seed_payments(simulator: Simulator, seeds: list[Seed], *, base_url: str) -> list[Json]:
    """Make for each a paid session with its intent, charge and line, and return their ids.

    The objects are those that paying would have left behind. Events are recorded where asked for, and never delivered.
    """
    with simulator.store.transaction():
        return [_seed_payment(simulator, seed, base_url) for seed in seeds]


def _seed(number: int, told: object, now: int) -> Seed:
    if not isinstance(told, dict):
        raise NotASeedError(f"payments[{number}] is no object")
    amount, created = told.get("amount"), told.get("created", now)
    if not isinstance(amount, int) or not isinstance(created, int):
        raise NotASeedError(f"payments[{number}]: amount and created are integers")
    absent = [name for name in ("payment_id", "reference", "currency") if not isinstance(told.get(name), str)]
    if absent:
        raise NotASeedError(f"payments[{number}] has no {absent[0]}")
    return Seed(
        payment_id=told["payment_id"],
        reference=told["reference"],
        amount=amount,
        currency=told["currency"].lower(),
        created=created,
        events=told.get("events") is True,
    )


def _seed_payment(simulator: Simulator, seed: Seed, base_url: str) -> Json:
    session = _session(seed, base_url)
    intent = objects.payment_intent(session, {"metadata": seed.metadata}, created=seed.created)
    opened = dict(intent)
    charge = objects.charge(intent, method=Method.CARD, email=None, created=seed.created)
    line = charge_line(charge, settlement=simulator.config.settlement_currency, created=seed.created)
    charge.update(objects.collected(charge, line["id"]))
    intent.update(objects.succeeded(charge))
    session.update(payment_intent=intent["id"], **objects.completed("paid", email=None))
    for body in (session, intent, charge, line):
        simulator.save(body)
    if seed.events:
        for event_type, subject in _story(opened=opened, charge=charge, intent=intent, session=session):
            simulator.record(event_type, subject, created=seed.created)
    return {
        "payment_id": seed.payment_id,
        "session": session["id"],
        "payment_intent": intent["id"],
        "charge": charge["id"],
        "balance_transaction": line["id"],
    }


def _session(seed: Seed, base_url: str) -> Json:
    product = {"name": seed.reference}
    price = {"currency": seed.currency, "unit_amount": seed.amount, "product_data": product}
    lines = objects.line_items([{"price_data": price, "quantity": 1}], currency=seed.currency)
    given = {
        "mode": "payment",
        "client_reference_id": seed.payment_id,
        "metadata": seed.metadata,
        "success_url": f"{base_url}/",
        "cancel_url": f"{base_url}/",
    }
    session = objects.session(given, lines=lines, currency=seed.currency, created=seed.created, base_url=base_url)
    return {**session, "_line_items": lines, "_payment_intent_data": {"metadata": seed.metadata}}


def _story(*, opened: Json, charge: Json, intent: Json, session: Json) -> Iterator[tuple[str, Json]]:
    yield "payment_intent.created", opened
    yield "charge.succeeded", charge
    yield "payment_intent.succeeded", intent
    yield "checkout.session.completed", session
