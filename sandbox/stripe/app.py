"""The wire of the API: who calls, under which key and version, and what faults do to the answer."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from flask import Blueprint, Response, request

from sandbox.faults.injection import NO_ANSWER, hang_up, with_fault
from sandbox.faults.orders import ApiFault, Order
from sandbox.stripe.account.objects import new_id
from sandbox.stripe.account.outcomes import expire_overdue
from sandbox.stripe.api.calls import Call, Operation, answer
from sandbox.stripe.api.idempotency import Saved, check_key, fingerprint
from sandbox.stripe.api.operations import OPERATIONS
from sandbox.stripe.api.parameters import nest
from sandbox.stripe.config import API_VERSION
from sandbox.stripe.errors import RefusedError, internal
from sandbox.stripe.fault_injection import stand_in
from sandbox.stripe.journal import Journal
from sandbox.stripe.simulator import Simulator

VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(\.[a-z]+)?")


def _sent_pairs() -> list[tuple[str, str]]:
    return [*request.args.items(multi=True), *request.form.items(multi=True)]


@dataclass
class Incoming:
    """What is known of a request before anything about it has been judged."""

    operation: str
    object_id: str = ""
    request_id: str = field(default_factory=lambda: new_id("req"))
    version: str = field(default_factory=lambda: request.headers.get("Stripe-Version") or API_VERSION)
    key: str | None = field(default_factory=lambda: request.headers.get("Idempotency-Key"))
    pairs: list[tuple[str, str]] = field(default_factory=_sent_pairs)
    replayed: bool = False


def api(simulator: Simulator) -> Blueprint:
    """Return the routes under /v1."""
    blueprint = Blueprint("api", __name__)
    journal = Journal(simulator.store)
    for operation in OPERATIONS:
        blueprint.add_url_rule(
            operation.path.replace("{id}", "<object_id>"),
            endpoint=operation.name.replace(".", "_"),
            methods=[operation.method],
            view_func=_view(simulator, journal, operation),
            provide_automatic_options=False,
        )
    blueprint.add_url_rule(
        "/v1/<path:rest>",
        endpoint="unrecognized",
        methods=["DELETE", "GET", "PATCH", "POST", "PUT"],
        view_func=partial(_unrecognized, simulator, journal),
    )
    return blueprint


def _view(simulator: Simulator, journal: Journal, operation: Operation) -> Callable[..., Response]:
    def view(object_id: str = "") -> Response:
        incoming = Incoming(operation.name, object_id)
        order = simulator.faults.take(operation.name)
        response = stand_in(order)
        if response is None:
            response = with_fault(order, _rendered(_judged(simulator, operation, incoming, order)))
        _mark(response, incoming)
        # Written before a connection is held open: a test wants to see the call while it hangs.
        journal.write(incoming, response.status_code, order)
        if response.status_code == NO_ANSWER:
            hang_up(0 if order is None else order.seconds, simulator.stopping)
        return response

    return view


def _judged(simulator: Simulator, operation: Operation, incoming: Incoming, order: Order | None) -> Saved:
    try:
        _authenticate(simulator)
        _check_rights(simulator, operation)
        _check_version(incoming.version)
        if request.method != "POST":
            # Stripe ignores the header elsewhere: reading and deleting repeat harmlessly by themselves.
            return _executed(simulator, operation, incoming, order)
        incoming.key = check_key(incoming.key)
        return _executed_once(simulator, operation, incoming, order)
    except RefusedError as refusal:
        return Saved(refusal.status, refusal.body())


def _executed_once(simulator: Simulator, operation: Operation, incoming: Incoming, order: Order | None) -> Saved:
    key = incoming.key
    if key is None:
        return _executed(simulator, operation, incoming, order)
    print_ = fingerprint(request.method, request.path, incoming.pairs)
    saved = simulator.keys.claim(key, print_, now=simulator.now())
    if saved is not None:
        incoming.replayed = True
        return saved
    try:
        return _executed(simulator, operation, incoming, order)
    finally:
        # A no-op once an answer is saved: only requests refused before execution still hold a bare key.
        simulator.keys.release(key)


def _executed(simulator: Simulator, operation: Operation, incoming: Incoming, order: Order | None) -> Saved:
    """Validate, which leaves no trace, then execute and save the answer under the key in one commit."""
    expire_overdue(simulator)
    given = operation.schema(incoming.version).read(dict(nest(incoming.pairs)))
    call = Call(
        simulator=simulator,
        given=given,
        object_id=incoming.object_id,
        path=request.path,
        base_url=simulator.config.public_base_url or request.host_url.rstrip("/"),
        request_id=incoming.request_id,
        idempotency_key=incoming.key,
    )
    operation.check(call)
    if order is not None and order.fault is ApiFault.SLOW:
        simulator.stopping.wait(order.seconds)
    with simulator.store.transaction():
        short = order is not None and order.fault is ApiFault.BALANCE_SHORT
        saved = _refused_in_execution() if short else _outcome(operation, call)
        if order is not None and order.fault is ApiFault.ERROR_500_AFTER:
            # Executed, and yet the 500 is what Stripe will repeat for this key from now on.
            saved = Saved(500, internal().body())
        if incoming.key is not None and request.method == "POST":
            simulator.keys.save(incoming.key, saved)
    simulator.postman.notify()
    return saved


def _refused_in_execution() -> Saved:
    # Found while executing, so it is what the key answers from now on. The word stands where no other code does.
    refusal = RefusedError("You have insufficient funds in your Stripe account. You can top up your balance to retry.")
    body = refusal.body()
    body["error"]["message_code"] = "insufficient_balance_for_refund"
    return Saved(refusal.status, body)


def _outcome(operation: Operation, call: Call) -> Saved:
    try:
        return Saved(200, answer(operation, call))
    except RefusedError as refusal:
        return Saved(refusal.status, refusal.body())


def _key() -> str:
    given = request.authorization
    if given is None:
        return ""
    return (given.token if given.type == "bearer" else given.username) or ""


def _check_rights(simulator: Simulator, operation: Operation) -> None:
    if _key().startswith("rk_") and operation.name in simulator.withheld:
        raise RefusedError(
            f"The provided key '{_key()[:8]}*********' does not have the required permissions for this endpoint.",
            status=403,
        )


def _authenticate(simulator: Simulator) -> None:
    key = _key()
    if not key:
        raise RefusedError(
            "You did not provide an API key. You need to provide your API key in the Authorization header,"
            " using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
            status=401,
        )
    if not key.startswith(simulator.config.key_prefixes):
        raise RefusedError(f"Invalid API Key provided: {key[:8]}{'*' * 8}", status=401)


def _check_version(version: str) -> None:
    if not VERSION.fullmatch(version):
        raise RefusedError(f"Invalid Stripe API version: {version}")


def _unrecognized(simulator: Simulator, journal: Journal, rest: str) -> Response:
    incoming = Incoming(f"{request.method} /v1/{rest}")
    refusal = RefusedError(f"Unrecognized request URL ({request.method}: {request.path}).", status=404)
    try:
        _authenticate(simulator)
    except RefusedError as stranger:
        refusal = stranger
    response = _rendered(Saved(refusal.status, refusal.body()))
    _mark(response, incoming)
    journal.write(incoming, response.status_code, None)
    return response


def _rendered(saved: Saved) -> Response:
    return Response(json.dumps(saved.body), saved.status, mimetype="application/json")


def _mark(response: Response, incoming: Incoming) -> None:
    response.headers["Request-Id"] = incoming.request_id
    response.headers["Stripe-Version"] = incoming.version
    if request.method == "POST" and incoming.key:
        response.headers["Idempotency-Key"] = incoming.key
        if incoming.replayed:
            response.headers["Idempotent-Replayed"] = "true"
