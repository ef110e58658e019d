"""The hosted page a person pays on, and the front page that leads there."""

from flask import Blueprint, abort, redirect, render_template
from werkzeug.wrappers import Response

from sandbox.store import Json
from sandbox.stripe.account.currencies import shown
from sandbox.stripe.account.outcomes import Action, NotPossibleError, Result, act, expire_overdue, stage_of
from sandbox.stripe.api.listing import line_items
from sandbox.stripe.controls.switches import everything
from sandbox.stripe.simulator import Simulator
from sandbox.stripe.store import Kind

FRONT_PAGE_SESSIONS = 50


def pages(simulator: Simulator) -> Blueprint:
    """Return the routes people open in a browser."""
    blueprint = Blueprint("checkout", __name__, template_folder="templates")
    blueprint.add_app_template_filter(lambda money: shown(*money), "shown")

    @blueprint.get("/")
    def front() -> str:
        expire_overdue(simulator)
        found = everything(simulator, Kind.SESSION, limit=FRONT_PAGE_SESSIONS)
        rows = [(session, stage_of(simulator, session)) for session in found]
        return render_template(
            "front.html",
            rows=rows,
            faults=simulator.faults.listed(),
            paused=simulator.postman.paused,
            webhook_url=simulator.config.webhook_url,
        )

    @blueprint.get("/c/pay/<session_id>")
    def pay_page(session_id: str) -> str:
        return _page(simulator, session_id)

    @blueprint.post("/c/pay/<session_id>/<action>")
    def press(session_id: str, action: str) -> Response | str:
        if action not in set(Action):
            abort(404)
        try:
            result = act(simulator, session_id, Action(action))
        except LookupError:
            abort(404)
        except NotPossibleError:
            # Two tabs, or the back button after paying: show how things stand instead of an error.
            return redirect(f"/c/pay/{session_id}", 303)
        return _after(simulator, result)

    return blueprint


def _page(simulator: Simulator, session_id: str, *, decline_message: str | None = None) -> str:
    expire_overdue(simulator)
    session = simulator.store.get(Kind.SESSION, session_id)
    if session is None:
        abort(404)
    return render_template(
        "checkout.html",
        session=session,
        stage=stage_of(simulator, session),
        lines=line_items(simulator, session_id)["data"],
        email=_email(simulator, session),
        decline_message=decline_message,
    )


def _after(simulator: Simulator, result: Result) -> Response | str:
    session_id = result.session["id"]
    if result.decline_message is not None:
        return _page(simulator, session_id, decline_message=result.decline_message)
    if result.session["status"] == "complete" and result.event_ids:
        # Stripe's page waits like this, so that a shop's return page usually finds the order paid.
        simulator.postman.wait_for_answer(result.event_ids[-1], seconds=simulator.config.redirect_hold)
    return redirect(result.redirect_url or f"/c/pay/{session_id}", 303)


def _email(simulator: Simulator, session: Json) -> str | None:
    if session["customer_email"]:
        return str(session["customer_email"])
    customer = simulator.store.get(Kind.CUSTOMER, session["customer"] or "")
    return customer.get("email") if customer else None
