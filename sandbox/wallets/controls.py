"""The unauthenticated JSON switches under /_sandbox/wallets: what a person clicks, a test may post."""

from dataclasses import asdict

from flask import Blueprint, Response, jsonify, request

from sandbox.wallets.actions import Action, NotPossible
from sandbox.wallets.service import WalletService
from sandbox.wallets.statement import statement
from sandbox.wallets.transactions import Gateway, Naming, Transaction

_EVERYTHING = 10_000


def wallet_controls(service: WalletService) -> Blueprint:
    """Return the routes under /_sandbox/wallets."""
    blueprint = Blueprint("wallet_controls", __name__, url_prefix="/_sandbox/wallets")
    _add_transactions(blueprint, service)

    @blueprint.get("/notices")
    def notices() -> Response:
        return jsonify(service.postman.listed())

    @blueprint.post("/notices/<int:notice_id>/resend")
    def resend(notice_id: int) -> tuple[Response, int]:
        try:
            service.postman.send_again(notice_id)
        except LookupError:
            return _error(f"no notice {notice_id}", 404)
        return jsonify({"notice": notice_id}), 202

    @blueprint.get("/calls")
    def calls() -> Response:
        return jsonify(service.journal.entries())

    @blueprint.post("/naming")
    def naming() -> tuple[Response, int]:
        told = request.get_json()
        try:
            gateway, chosen = Gateway(told["gateway"]), Naming(told["naming"])
        except (KeyError, TypeError, ValueError):
            return _error(f"say a gateway and a naming: one of {', '.join(Naming)}", 400)
        service.ledger.rename(gateway, chosen)
        return jsonify({"gateway": gateway, "naming": chosen}), 200

    @blueprint.get("/statement")
    def statement_file() -> tuple[Response, int]:
        wanted = request.args.get("gateway", "")
        if wanted not in set(Gateway):
            return _error(f"say ?gateway= and one of {', '.join(Gateway)}", 400)
        text = statement(service.ledger.all_of(Gateway(wanted)))
        named = {"Content-Disposition": f'attachment; filename="{wanted}-statement.csv"'}
        return Response(text, mimetype="text/csv", headers=named), 200

    return blueprint


def _add_transactions(blueprint: Blueprint, service: WalletService) -> None:
    @blueprint.get("/transactions")
    def transactions() -> Response:
        return jsonify([found.public for found in service.ledger.newest(_EVERYTHING)])

    @blueprint.get("/transactions/<reference>")
    def transaction(reference: str) -> tuple[Response, int]:
        found = _found(service, reference)
        return _error(f"no transaction {reference}", 404) if found is None else (jsonify(found.public), 200)

    @blueprint.post("/transactions/<reference>/<action>")
    def act(reference: str, action: str) -> tuple[Response, int]:
        if action not in set(Action):
            return _error(f"no action {action!r}; there are {', '.join(Action)}", 404)
        found = _found(service, reference)
        if found is None:
            return _error(f"no transaction {reference}", 404)
        try:
            onward = service.counters[found.gateway].press(found, Action(action))
        except NotPossible as reason:
            return _error(str(reason), 409)
        after = service.ledger.get(found.gateway, reference) or found
        return jsonify({"transaction": after.public, "browser": None if onward is None else asdict(onward)}), 200


def _found(service: WalletService, reference: str) -> Transaction | None:
    """Return the newest transaction of the reference, or that of the gateway asked for with `?gateway=`."""
    wanted = request.args.get("gateway")
    return next((found for found in service.ledger.find(reference) if wanted in (None, found.gateway)), None)


def _error(message: str, status: int) -> tuple[Response, int]:
    return jsonify({"error": message}), status
