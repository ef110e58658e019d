"""The unauthenticated JSON switches under /_sandbox: what a person clicks, a test may post."""

import json
from typing import Any

from flask import Blueprint, Response, jsonify

from sandbox.faults.orders import UnknownFaultError
from sandbox.store import Json
from sandbox.stripe.account.outcomes import Action, NotPossibleError, act
from sandbox.stripe.controls.after_payment import add_money
from sandbox.stripe.controls.asking import refused, sent
from sandbox.stripe.controls.seeding import add_seeding
from sandbox.stripe.journal import Journal
from sandbox.stripe.simulator import Simulator, public
from sandbox.stripe.store import Kind, Query

EVERYTHING = 10_000


def controls(simulator: Simulator) -> Blueprint:
    """Return the routes under /_sandbox, all but the mails'."""
    blueprint = Blueprint("controls", __name__, url_prefix="/_sandbox")
    _add_objects(blueprint, simulator)
    _add_faults(blueprint, simulator)
    _add_webhooks(blueprint, simulator)
    add_money(blueprint, simulator)
    add_seeding(blueprint, simulator)
    return blueprint


def _add_objects(blueprint: Blueprint, simulator: Simulator) -> None:
    @blueprint.get("/sessions")
    def sessions() -> Response:
        return jsonify(everything(simulator, Kind.SESSION))

    @blueprint.get("/events")
    def events() -> Response:
        return jsonify(everything(simulator, Kind.EVENT))

    @blueprint.get("/requests")
    def requests() -> Response:
        return jsonify(Journal(simulator.store).entries())

    @blueprint.post("/sessions/<session_id>/<action>")
    def session_action(session_id: str, action: str) -> tuple[Response, int]:
        if action not in set(Action):
            return refused(f"no action {action!r}; there are {', '.join(Action)}", 404)
        try:
            result = act(simulator, session_id, Action(action))
        except LookupError:
            return refused(f"no session {session_id}", 404)
        except NotPossibleError as reason:
            return refused(str(reason), 409)
        body: Json = {
            "session": result.session,
            "redirect_url": result.redirect_url,
            "decline_message": result.decline_message,
            "event_ids": result.event_ids,
        }
        return jsonify(body), 200

    @blueprint.post("/reset")
    def reset() -> Response:
        simulator.store.reset()
        simulator.faults.clear()
        simulator.withheld = frozenset()
        simulator.postman.pause(paused=False)
        return jsonify({"status": "empty"})


def _add_faults(blueprint: Blueprint, simulator: Simulator) -> None:
    @blueprint.get("/faults")
    def list_faults() -> Response:
        return jsonify(simulator.faults.listed())

    @blueprint.post("/faults")
    def order_fault() -> tuple[Response, int]:
        wish = sent()
        try:
            times, seconds = wish.get("times", 1), wish.get("seconds")
            simulator.faults.order(
                str(wish.get("operation")),
                str(wish.get("fault")),
                times=None if times is None else int(times),
                seconds=None if seconds is None else float(seconds),
                every=int(wish.get("every", 1)),
            )
        except (UnknownFaultError, TypeError, ValueError) as reason:
            return refused(str(reason), 400)
        return jsonify(simulator.faults.listed()), 201

    @blueprint.post("/rights")
    def withhold() -> Response:
        """Say which calls restricted keys may not make, such as "GET /v1/payouts"."""
        simulator.withheld = frozenset(map(str, sent().get("withheld", [])))
        return jsonify({"withheld": sorted(simulator.withheld)})

    @blueprint.delete("/faults")
    def clear_faults() -> Response:
        simulator.faults.clear()
        return jsonify([])


def _add_webhooks(blueprint: Blueprint, simulator: Simulator) -> None:
    @blueprint.get("/deliveries")
    def deliveries() -> Response:
        return jsonify(simulator.postman.listed())

    @blueprint.post("/events/<event_id>/resend")
    def resend(event_id: str) -> tuple[Response, int]:
        event = simulator.store.get(Kind.EVENT, event_id)
        if event is None:
            return refused(f"no event {event_id}", 404)
        simulator.deliver(event)
        simulator.postman.notify()
        return jsonify({"event": event_id}), 202

    @blueprint.post("/webhook")
    def pause() -> tuple[Response, int]:
        wish = sent().get("pause")
        if not isinstance(wish, bool):
            return refused('send {"pause": true} or {"pause": false}', 400)
        simulator.postman.pause(paused=wish)
        return jsonify({"paused": wish}), 200

    @blueprint.post("/deliver")
    def deliver() -> tuple[Response, int]:
        wish = sent()
        if "event" not in wish:
            return refused('send {"event": ...}', 400)
        event: Any = wish["event"]
        named = event if isinstance(event, dict) else {}
        simulator.postman.enqueue(
            json.dumps(event), event_id=str(named.get("id", "")), event_type=str(named.get("type", ""))
        )
        simulator.postman.notify()
        return jsonify({"queued": True}), 202


def everything(simulator: Simulator, kind: Kind, *, limit: int = EVERYTHING) -> list[Json]:
    """Return the objects of the kind, newest first."""
    return [public(row) for row in simulator.store.page(Query(kind=kind, limit=limit)).rows]
