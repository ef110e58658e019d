"""The pages of the wallets: the one a customer pays on, and the one where people play the customer's phone."""

from flask import Blueprint, Response, abort, render_template

from sandbox.wallets.actions import Action, NotPossible, possible_actions
from sandbox.wallets.service import Onward, WalletService
from sandbox.wallets.transactions import Gateway, State, Transaction

_LISTED = 100

NAMES = {Gateway.JAZZCASH: "JazzCash", Gateway.EASYPAISA: "Easypaisa"}


def wallet_pages(service: WalletService) -> Blueprint:
    """Return the routes people open in a browser."""
    blueprint = Blueprint("wallets", __name__, template_folder="templates")
    blueprint.add_app_template_filter(rupees, "rupees")
    blueprint.add_app_template_filter(possible_actions, "actions")
    blueprint.add_app_template_filter(lambda gateway: NAMES[gateway], "gateway_name")

    @blueprint.get("/wallets")
    def index() -> str:
        return render_template("wallets.html", transactions=service.ledger.newest(_LISTED))

    @blueprint.post("/wallets/<any(jazzcash, easypaisa):gateway>/<reference>/<action>")
    def play(gateway: str, reference: str, action: str) -> Response:
        _press(service, _found(service, gateway, reference), action)
        return _to("/wallets")

    @blueprint.get("/<any(jazzcash, easypaisa):gateway>/pay/<reference>")
    def pay_page(gateway: str, reference: str) -> str:
        return render_template("wallet_pay.html", transaction=_found(service, gateway, reference))

    @blueprint.post("/<any(jazzcash, easypaisa):gateway>/pay/<reference>/<action>")
    def press(gateway: str, reference: str, action: str) -> Response:
        transaction = _found(service, gateway, reference)
        # The customer's own buttons are of use once; what happens later is for the controls.
        onward = _press(service, transaction, action) if transaction.state is State.INITIATED else None
        return _to(f"/{gateway}/pay/{reference}") if onward is None else onward_page(onward)

    return blueprint


def onward_page(onward: Onward) -> Response:
    """Send the browser to the shop: by itself, or with a form that posts itself."""
    if onward.method == "GET":
        return _to(onward.url)
    return Response(render_template("wallet_onward.html", onward=onward), mimetype="text/html")


def rupees(paisa: int) -> str:
    """Return an amount as people write it."""
    return f"Rs {paisa // 100:,}.{paisa % 100:02}"


def _found(service: WalletService, gateway: str, reference: str) -> Transaction:
    found = service.ledger.get(Gateway(gateway), reference)
    if found is None or found.gateway not in service.counters:
        abort(404)
    return found


def _press(service: WalletService, transaction: Transaction, action: str) -> Onward | None:
    if action not in set(Action):
        abort(404)
    try:
        return service.counters[transaction.gateway].press(transaction, Action(action))
    except NotPossible:
        # Two tabs, or the back button: whoever comes sees how things stand instead of an error.
        return None


def _to(url: str) -> Response:
    return Response(status=303, headers={"Location": url})
