"""The switches under /_sandbox for what comes after a payment."""

from flask import Blueprint, Response, jsonify

from sandbox.stripe.asking import refused
from sandbox.stripe.outcomes import NotPossibleError
from sandbox.stripe.refunds import Ending, end_refund
from sandbox.stripe.simulator import Simulator, public


def add_money(blueprint: Blueprint, simulator: Simulator) -> None:
    """Add the routes that let refunds end."""

    @blueprint.post("/refunds/<refund_id>/<ending>")
    def refund_ends(refund_id: str, ending: str) -> tuple[Response, int]:
        if ending not in set(Ending):
            return refused(f"no action {ending!r}; there are {', '.join(Ending)}", 404)
        try:
            refund = end_refund(simulator, refund_id, Ending(ending))
        except LookupError:
            return refused(f"no refund {refund_id}", 404)
        except NotPossibleError as reason:
            return refused(str(reason), 409)
        return jsonify(public(refund)), 200
