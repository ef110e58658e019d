"""The switches under /_sandbox for what comes after a payment."""

from collections.abc import Callable
from enum import StrEnum

from flask import Blueprint, Response, jsonify

from sandbox.store import Json
from sandbox.stripe.account.disputes import Step, advance, charge_back, disputable, inquire, warn_of_fraud
from sandbox.stripe.account.outcomes import NotPossibleError
from sandbox.stripe.account.payouts import fail_payout, pay_out
from sandbox.stripe.account.refunds import Ending, end_refund
from sandbox.stripe.controls.asking import refused, sent
from sandbox.stripe.simulator import Simulator, public


def add_money(blueprint: Blueprint, simulator: Simulator) -> None:
    """Add the routes that end refunds, that open disputes and move them on, and that pay out."""

    @blueprint.post("/refunds/<refund_id>/<ending>")
    def refund_ends(refund_id: str, ending: str) -> tuple[Response, int]:
        if ending not in set(Ending):
            return _no_action(ending, Ending)
        return _done(lambda: end_refund(simulator, refund_id, Ending(ending)), f"no refund {refund_id}")

    @blueprint.post("/payment_intents/<intent_id>/dispute")
    def dispute(intent_id: str) -> tuple[Response, int]:
        return _done(lambda: _disputed(simulator, intent_id, sent()), f"no payment_intent {intent_id}")

    @blueprint.post("/payment_intents/<intent_id>/warning")
    def warning(intent_id: str) -> tuple[Response, int]:
        actionable = sent().get("actionable") is not False
        return _done(
            lambda: warn_of_fraud(simulator, disputable(simulator, intent_id), actionable=actionable),
            f"no payment_intent {intent_id}",
        )

    @blueprint.post("/disputes/<dispute_id>/<step>")
    def dispute_moves(dispute_id: str, step: str) -> tuple[Response, int]:
        if step not in set(Step):
            return _no_action(step, Step)
        return _done(lambda: advance(simulator, dispute_id, Step(step)), f"no dispute {dispute_id}")

    @blueprint.post("/payouts")
    def payouts() -> tuple[Response, int]:
        return jsonify({"payouts": pay_out(simulator)}), 201

    @blueprint.post("/payouts/<payout_id>/fail")
    def payout_fails(payout_id: str) -> tuple[Response, int]:
        return _done(lambda: fail_payout(simulator, payout_id), f"no payout {payout_id}")


def _disputed(simulator: Simulator, intent_id: str, wish: Json) -> Json:
    charge = disputable(simulator, intent_id)
    begin = inquire if wish.get("inquiry") is True else charge_back
    amount = wish.get("amount", charge["amount"])
    if not isinstance(amount, int):
        raise NotPossibleError("amount is an integer in the minor unit")
    return begin(simulator, charge, amount=amount, reason=str(wish.get("reason", "fraudulent")))


def _done(happen: Callable[[], Json], absent: str) -> tuple[Response, int]:
    try:
        return jsonify(public(happen())), 200
    except LookupError:
        return refused(absent, 404)
    except NotPossibleError as reason:
        return refused(str(reason), 409)


def _no_action(action: str, actions: type[StrEnum]) -> tuple[Response, int]:
    return refused(f"no action {action!r}; there are {', '.join(actions)}", 404)
