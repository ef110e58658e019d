"""What customers, banks and time do to a session, and which events tell of it, in Stripe's order."""

from dataclasses import dataclass, field
from enum import StrEnum

from sandbox.store import Json
from sandbox.stripe.account import objects
from sandbox.stripe.account.ledger import charge_line, failure_line
from sandbox.stripe.account.magic import DECLINES, LATE_DECLINE, Decline, Outcome, outcome_of
from sandbox.stripe.account.objects import Method
from sandbox.stripe.simulator import Simulator, public
from sandbox.stripe.store import Kind, Query

# How long a magic delayed payment stays in processing, in seconds.
SETTLING_TIME = 2


class Action(StrEnum):
    """Everything that can happen to a session."""

    PAY = "pay"
    DECLINE = "decline"
    PAY_LATER = "pay_later"
    SETTLE = "settle"
    FAIL = "fail"
    EXPIRE = "expire"
    ABANDON = "abandon"


class Stage(StrEnum):
    """How far a session has come, told from its own status and its intent's."""

    OPEN = "open"
    PROCESSING = "processing"
    PAID = "paid"
    FAILED = "failed"
    EXPIRED = "expired"


POSSIBLE_IN = {
    Action.PAY: Stage.OPEN,
    Action.DECLINE: Stage.OPEN,
    Action.PAY_LATER: Stage.OPEN,
    Action.ABANDON: Stage.OPEN,
    Action.EXPIRE: Stage.OPEN,
    Action.SETTLE: Stage.PROCESSING,
    Action.FAIL: Stage.PROCESSING,
}


class NotPossibleError(Exception):
    """An action that makes no sense at the session's present stage."""


@dataclass
class Result:
    """The session after an action, the events it caused, and where the customer's browser goes next."""

    session: Json
    redirect_url: str | None = None
    decline_message: str | None = None
    event_ids: list[str] = field(default_factory=list)


def stage_of(simulator: Simulator, session: Json) -> Stage:
    """Return how far the session has come."""
    if session["status"] == "open":
        return Stage.OPEN
    if session["status"] == "expired":
        return Stage.EXPIRED
    if session["payment_status"] != "unpaid":
        return Stage.PAID
    intent = simulator.store.get(Kind.PAYMENT_INTENT, session["payment_intent"])
    return Stage.PROCESSING if intent is not None and intent["status"] == "processing" else Stage.FAILED


def act(simulator: Simulator, session_id: str, action: Action) -> Result:
    """Do it, or raise NotPossibleError; a missing session raises LookupError."""
    expire_overdue(simulator)
    with simulator.store.transaction():
        session = simulator.store.get(Kind.SESSION, session_id)
        if session is None:
            raise LookupError(session_id)
        stage = stage_of(simulator, session)
        if stage is not POSSIBLE_IN[action]:
            raise NotPossibleError(f"Cannot {action} a session that is {stage}")
        result = _Happening(simulator, session).run(action)
    simulator.postman.notify()
    return result


def expire_overdue(simulator: Simulator) -> None:
    """Expire every open session past its expires_at."""
    query = Query(
        kind=Kind.SESSION,
        limit=100,
        # Spelled exactly like the index's expression, or SQLite would read every session.
        clauses=("json_extract(body, '$.status') = ?", "json_extract(body, '$.expires_at') <= ?"),
        values=("open", simulator.now()),
    )
    with simulator.store.transaction():
        overdue = simulator.store.page(query).rows
        for session in overdue:
            _Happening(simulator, session).run(Action.EXPIRE)
    if overdue:
        simulator.postman.notify()


def ring_alarms(simulator: Simulator) -> None:
    """Settle or fail the delayed payments whose moment has come."""
    with simulator.store.transaction() as connection:
        due = connection.execute(
            "SELECT id, session_id, action FROM alarms WHERE due <= ?", (simulator.now(),)
        ).fetchall()
        connection.executemany("DELETE FROM alarms WHERE id = ?", [(row["id"],) for row in due])
    for row in due:
        try:
            act(simulator, row["session_id"], Action(row["action"]))
        except (NotPossibleError, LookupError):
            # A person was quicker, or the state was reset meanwhile.
            continue


class _Happening:
    """One action on one session, inside the caller's transaction."""

    def __init__(self, simulator: Simulator, session: Json) -> None:
        self._simulator = simulator
        self._session = session
        self._result = Result(session)

    def run(self, action: Action) -> Result:
        steps = {
            Action.PAY: self._press_pay,
            Action.DECLINE: lambda: self._decline(DECLINES[Outcome.DECLINE]),
            Action.PAY_LATER: self._pay_later,
            Action.SETTLE: self._settle,
            Action.FAIL: self._fail,
            Action.EXPIRE: self._expire,
            Action.ABANDON: self._abandon,
        }
        steps[action]()
        self._result.session = public(self._session)
        return self._result

    def _press_pay(self) -> None:
        session = self._session
        tried_before = session["payment_intent"] is not None
        outcome = outcome_of(_email(self._simulator, session), session["amount_total"], tried_before=tried_before)
        if session["amount_total"] == 0:
            self._complete("no_payment_required")
        elif outcome in DECLINES:
            self._decline(DECLINES[outcome])
        elif outcome is Outcome.PAY:
            self._pay()
        else:
            self._pay_later()
            self._arrange(outcome)

    def _arrange(self, outcome: Outcome) -> None:
        later = {Outcome.LATER_SETTLES: Action.SETTLE, Outcome.LATER_FAILS: Action.FAIL}.get(outcome)
        if later is None:
            return
        with self._simulator.store.transaction() as connection:
            connection.execute(
                "INSERT INTO alarms (session_id, action, due) VALUES (?, ?, ?)",
                (self._session["id"], later, self._simulator.now() + SETTLING_TIME),
            )

    def _pay(self) -> None:
        intent = self._intent()
        charge = self._charge(intent, Method.CARD)
        self._collect(intent, charge)
        self._complete("paid")

    def _decline(self, decline: Decline) -> None:
        intent = self._intent()
        charge = self._charge(intent, Method.CARD)
        self._refuse(intent, charge, decline)
        self._session["payment_intent"] = intent["id"]
        self._simulator.save(self._session)
        self._result.decline_message = decline.message

    def _pay_later(self) -> None:
        intent = self._intent()
        charge = self._charge(intent, Method.BANK_DEBIT)
        # Since 2024 the balance shows a debit when it is submitted, days before the bank has said yes.
        charge["balance_transaction"] = self._line(charge)["id"]
        self._save("charge.pending", charge)
        intent.update(status="processing", last_payment_error=None, **objects.paid_with(charge))
        self._save("payment_intent.processing", intent)
        self._session["payment_intent"] = intent["id"]
        self._complete("unpaid")

    def _settle(self) -> None:
        intent, charge = self._attempted()
        self._collect(intent, charge)
        self._session["payment_status"] = "paid"
        self._save("checkout.session.async_payment_succeeded", self._session)

    def _fail(self) -> None:
        intent, charge = self._attempted()
        shown = self._simulator.store.get(Kind.BALANCE_TRANSACTION, charge["balance_transaction"])
        if shown is not None:
            back = failure_line(shown, created=self._simulator.now())
            self._simulator.save(back)
            charge["failure_balance_transaction"] = back["id"]
        self._refuse(intent, charge, LATE_DECLINE)
        self._save("checkout.session.async_payment_failed", self._session)

    def _expire(self) -> None:
        intent = self._simulator.store.get(Kind.PAYMENT_INTENT, self._session["payment_intent"] or "")
        if intent is not None:
            intent.update(status="canceled", canceled_at=self._simulator.now(), cancellation_reason="automatic")
            self._save("payment_intent.canceled", intent)
        self._session.update(status="expired", url=None)
        self._save("checkout.session.expired", self._session)

    def _abandon(self) -> None:
        self._result.redirect_url = self._session["cancel_url"]

    def _intent(self) -> Json:
        known = self._session["payment_intent"]
        intent = self._simulator.store.get(Kind.PAYMENT_INTENT, known) if known else None
        if intent is None:
            given = self._session["_payment_intent_data"]
            intent = objects.payment_intent(self._session, given, created=self._simulator.now())
            self._save("payment_intent.created", intent)
        self._session["payment_intent"] = intent["id"]
        return intent

    def _charge(self, intent: Json, method: Method) -> Json:
        email = _email(self._simulator, self._session)
        return objects.charge(intent, method=method, email=email, created=self._simulator.now())

    def _attempted(self) -> tuple[Json, Json]:
        store = self._simulator.store
        intent = store.get(Kind.PAYMENT_INTENT, self._session["payment_intent"])
        charge = store.get(Kind.CHARGE, intent["latest_charge"]) if intent else None
        if intent is None or charge is None:
            raise NotPossibleError("The session's payment is not in the store")
        return intent, charge

    def _collect(self, intent: Json, charge: Json) -> None:
        charge.update(objects.collected(charge, charge["balance_transaction"] or self._line(charge)["id"]))
        self._save("charge.succeeded", charge)
        intent.update(objects.succeeded(charge))
        self._save("payment_intent.succeeded", intent)
        self._session["payment_intent"] = intent["id"]

    def _line(self, charge: Json) -> Json:
        body = charge_line(charge, settlement=self._simulator.config.settlement_currency, created=self._simulator.now())
        self._simulator.save(body)
        return body

    def _refuse(self, intent: Json, charge: Json, decline: Decline) -> None:
        charge.update(
            status="failed",
            failure_code=decline.code,
            failure_message=decline.message,
            outcome={"network_status": "declined_by_network", "reason": decline.decline_code},
        )
        self._save("charge.failed", charge)
        intent.update(
            status="requires_payment_method",
            latest_charge=charge["id"],
            payment_method=None,
            last_payment_error=decline.as_error(charge),
        )
        self._save("payment_intent.payment_failed", intent)

    def _complete(self, payment_status: str) -> None:
        email = _email(self._simulator, self._session)
        self._session.update(objects.completed(payment_status, email=email))
        self._save("checkout.session.completed", self._session)
        self._result.redirect_url = self._session["success_url"].replace("{CHECKOUT_SESSION_ID}", self._session["id"])

    def _save(self, event_type: str, body: Json) -> None:
        self._simulator.save(body)
        self._result.event_ids.append(self._simulator.emit(event_type, body))


def _email(simulator: Simulator, session: Json) -> str | None:
    if session["customer_email"]:
        return str(session["customer_email"])
    customer = simulator.store.get(Kind.CUSTOMER, session["customer"] or "")
    return customer.get("email") if customer else None
