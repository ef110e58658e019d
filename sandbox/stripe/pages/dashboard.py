"""The page where a person plays the shop's back office and the customer's bank: refunds, disputes, payouts."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from flask import Blueprint, abort, redirect, render_template, request
from werkzeug.wrappers import Response

from sandbox.store import Json
from sandbox.stripe.account.currencies import minor
from sandbox.stripe.account.disputes import BECOMES, Step, advance, charge_back, inquire
from sandbox.stripe.account.outcomes import NotPossibleError
from sandbox.stripe.account.payouts import balances, fail_payout, pay_out
from sandbox.stripe.account.refunds import POSSIBLE_FROM, Ending, charged_back, end_refund, refund_charge
from sandbox.stripe.controls.switches import everything
from sandbox.stripe.errors import RefusedError
from sandbox.stripe.simulator import Simulator
from sandbox.stripe.store import Kind, Query

LISTED = 50
HOME = "/dashboard"

DISPUTES: dict[str, Callable[..., Json]] = {"dispute": charge_back, "inquiry": inquire}


@dataclass(frozen=True, kw_only=True)
class Payment:
    """A collected charge and what can still be given back of it, in the minor unit."""

    charge: Json
    refundable: int

    @property
    def state(self) -> str:
        """What a shopkeeper would call it."""
        if self.charge["disputed"]:
            return "disputed"
        if self.charge["refunded"]:
            return "refunded"
        return "partly refunded" if self.charge["amount_refunded"] else "paid"


def dashboard(simulator: Simulator) -> Blueprint:
    """Return the routes of the Dashboard; every button is a plain form, so they work without scripts."""
    blueprint = Blueprint("dashboard", __name__, template_folder="templates", url_prefix=HOME)
    blueprint.add_app_template_filter(_endings, "endings")
    blueprint.add_app_template_filter(_steps, "steps")

    @blueprint.get("")
    def home() -> str:
        return _page(simulator)

    _add_charges(blueprint, simulator)
    _add_aftermath(blueprint, simulator)
    return blueprint


def _add_charges(blueprint: Blueprint, simulator: Simulator) -> None:
    @blueprint.post("/charges/<charge_id>/refund")
    def refund(charge_id: str) -> Response | tuple[str, int]:
        def give_back() -> None:
            with _charge(simulator, charge_id) as charge:
                # As Stripe's own Dashboard does it: nothing of the shop's is written on such a refund.
                given = {"reason": "requested_by_customer", **_typed_amount(charge)}
                refund_charge(simulator, charge, given, tell=simulator.emit)
            simulator.postman.notify()

        return _pressed(simulator, give_back)

    @blueprint.post("/charges/<charge_id>/<any(dispute, inquiry):kind>")
    def dispute(charge_id: str, kind: str) -> Response | tuple[str, int]:
        def take_back() -> None:
            with _charge(simulator, charge_id) as charge:
                amount = _typed_amount(charge).get("amount", charge["amount"])
                DISPUTES[kind](simulator, charge, amount=amount, reason="fraudulent")

        return _pressed(simulator, take_back)


def _add_aftermath(blueprint: Blueprint, simulator: Simulator) -> None:
    @blueprint.post("/refunds/<refund_id>/<ending>")
    def refund_ends(refund_id: str, ending: str) -> Response | tuple[str, int]:
        if ending not in set(Ending):
            abort(404)
        return _pressed(simulator, lambda: end_refund(simulator, refund_id, Ending(ending)))

    @blueprint.post("/disputes/<dispute_id>/<step>")
    def dispute_moves(dispute_id: str, step: str) -> Response | tuple[str, int]:
        if step not in set(Step):
            abort(404)
        return _pressed(simulator, lambda: advance(simulator, dispute_id, Step(step)))

    @blueprint.post("/payouts")
    def payouts() -> Response | tuple[str, int]:
        return _pressed(simulator, lambda: pay_out(simulator))

    @blueprint.post("/payouts/<payout_id>/fail")
    def payout_fails(payout_id: str) -> Response | tuple[str, int]:
        return _pressed(simulator, lambda: fail_payout(simulator, payout_id))


def _pressed(simulator: Simulator, happen: Callable[[], object]) -> Response | tuple[str, int]:
    try:
        happen()
    except LookupError:
        abort(404)
    except (NotPossibleError, RefusedError, ValueError) as reason:
        return _page(simulator, problem=str(reason)), 400
    return redirect(HOME, 303)


def _page(simulator: Simulator, *, problem: str | None = None) -> str:
    return render_template(
        "dashboard.html",
        problem=problem,
        payments=list(_payments(simulator)),
        refunds=everything(simulator, Kind.REFUND, limit=LISTED),
        disputes=everything(simulator, Kind.DISPUTE, limit=LISTED),
        payouts=everything(simulator, Kind.PAYOUT, limit=LISTED),
        balances=balances(simulator),
    )


def _payments(simulator: Simulator) -> Iterator[Payment]:
    for charge in simulator.store.page(Query(Kind.CHARGE, LISTED, {"$.status": "succeeded"})).rows:
        left = 0 if charged_back(simulator, charge) else charge["amount_captured"] - charge["amount_refunded"]
        yield Payment(charge=charge, refundable=left)


@contextmanager
def _charge(simulator: Simulator, charge_id: str) -> Iterator[Json]:
    with simulator.store.transaction():
        charge = simulator.store.get(Kind.CHARGE, charge_id)
        if charge is None:
            raise LookupError(charge_id)
        yield charge


def _typed_amount(charge: Json) -> Json:
    text = request.form.get("amount", "").strip()
    return {"amount": minor(text, charge["currency"])} if text else {}


def _endings(status: str) -> list[Ending]:
    return [ending for ending, statuses in POSSIBLE_FROM.items() if status in statuses]


def _steps(status: str) -> list[Step]:
    return [step for step, becomes in BECOMES.items() if status in becomes]
