"""What becomes of money that is given back, and which events tell of it, in the order they are made."""

from collections.abc import Callable
from enum import StrEnum
from typing import TypeAlias

from sandbox.store import Json
from sandbox.stripe.account import after_payment
from sandbox.stripe.account.currencies import check_step, shown
from sandbox.stripe.account.ledger import Category, LineType, Movement, line
from sandbox.stripe.account.magic import RefundOutcome, refund_outcome_of
from sandbox.stripe.account.outcomes import SETTLING_TIME, NotPossibleError
from sandbox.stripe.errors import RefusedError
from sandbox.stripe.simulator import Simulator
from sandbox.stripe.store import Kind, Query

# Stores an object's event: the account itself, or a call of the API, which is named in the event.
Tell: TypeAlias = Callable[[str, Json], object]

MOST_DISPUTES = 100


class Ending(StrEnum):
    """How a refund can end that was made and is not over."""

    SUCCEED = "succeed"
    FAIL = "fail"
    CANCEL = "cancel"


# A refund that succeeded was sent; the bank may still return it a month later.
POSSIBLE_FROM = {
    Ending.SUCCEED: ("pending", "requires_action"),
    Ending.FAIL: ("pending", "requires_action", "succeeded"),
    Ending.CANCEL: ("pending", "requires_action"),
}
STARTS_AS = {
    RefundOutcome.SUCCEEDS: "succeeded",
    RefundOutcome.FAILS_LATER: "succeeded",
    RefundOutcome.PENDING: "pending",
    RefundOutcome.SUCCEEDS_LATER: "pending",
    RefundOutcome.NEEDS_ACTION: "requires_action",
    RefundOutcome.BALANCE_SHORT: "pending",
}
PENDING_FOR = {RefundOutcome.BALANCE_SHORT: "insufficient_funds"}
ENDS_BY_ITSELF = {RefundOutcome.SUCCEEDS_LATER: Ending.SUCCEED, RefundOutcome.FAILS_LATER: Ending.FAIL}


def refund_charge(simulator: Simulator, charge: Json, given: Json, *, tell: Tell) -> Json:
    """Give back what `given` asks of a charge, all that is left unless it names an amount (minor units).

    Raises RefusedError as Stripe would, with nothing done.
    """
    amount = _refundable(simulator, charge, given.get("amount"))
    refund = after_payment.refund(charge, given, amount=amount, created=simulator.now())
    outcome = refund_outcome_of(charge["billing_details"]["email"], amount)
    with simulator.store.transaction():
        if outcome is RefundOutcome.FAILS:
            _refuse(simulator, refund, tell)
        else:
            _take(simulator, refund, charge, outcome=outcome, tell=tell)
        if outcome in ENDS_BY_ITSELF:
            _set_alarm(simulator, refund, ENDS_BY_ITSELF[outcome])
    return refund


def end_refund(simulator: Simulator, refund_id: str, ending: Ending, *, reason: str = "unknown") -> Json:
    """Let a refund end, or raise NotPossibleError; a missing one raises LookupError. `reason` is of a failure."""
    with simulator.store.transaction():
        refund = simulator.store.get(Kind.REFUND, refund_id)
        if refund is None:
            raise LookupError(refund_id)
        if refund["status"] not in POSSIBLE_FROM[ending]:
            raise NotPossibleError(f"Cannot {ending} a refund that is {refund['status']}")
        if ending is Ending.SUCCEED:
            refund.update(status="succeeded", pending_reason=None, next_action=None)
        else:
            _give_up(simulator, refund, ending, reason)
        simulator.save(refund)
        for event_type in _told_of(ending):
            simulator.emit(event_type, refund)
    simulator.postman.notify()
    return refund


def fail_pending_refunds(simulator: Simulator, charge_id: str) -> None:
    """Fail what is on its way back to a customer who has just taken the money back by a dispute."""
    query = Query(kind=Kind.REFUND, limit=100, matches={"$.charge": charge_id, "$.status": "pending"})
    for refund in simulator.store.page(query).rows:
        end_refund(simulator, refund["id"], Ending.FAIL, reason="charge_for_pending_refund_disputed")


def ring_refund_alarms(simulator: Simulator) -> None:
    """End the refunds whose moment has come."""
    with simulator.store.transaction() as connection:
        due = connection.execute(
            "SELECT id, refund_id, ending FROM refund_alarms WHERE due <= ?", (simulator.now(),)
        ).fetchall()
        connection.executemany("DELETE FROM refund_alarms WHERE id = ?", [(row["id"],) for row in due])
    for row in due:
        try:
            end_refund(simulator, row["refund_id"], Ending(row["ending"]))
        except (NotPossibleError, LookupError):
            # A person or a dispute was quicker.
            continue


def charged_back(simulator: Simulator, charge: Json) -> bool:
    """Return whether a bank has taken the charge back, or may yet keep it: then nothing of it can be refunded."""
    disputes = simulator.store.page(Query(kind=Kind.DISPUTE, limit=MOST_DISPUTES, matches={"$.charge": charge["id"]}))
    return any(not dispute["is_charge_refundable"] for dispute in disputes.rows)


def _refundable(simulator: Simulator, charge: Json, asked: int | None) -> int:
    if charge["status"] != "succeeded" or not charge["captured"]:
        raise RefusedError(f"Charge {charge['id']} has not been captured; only captured charges can be refunded.")
    if charged_back(simulator, charge):
        raise RefusedError(
            f"Charge {charge['id']} has been charged back; cannot issue a refund.", code="charge_disputed"
        )
    left = charge["amount_captured"] - charge["amount_refunded"]
    if left <= 0:
        raise RefusedError(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
    amount = left if asked is None else asked
    if amount > left:
        raise RefusedError(
            f"Refund amount ({shown(amount, charge['currency'])}) is greater than unrefunded amount on charge"
            f" ({shown(left, charge['currency'])})",
            param="amount",
        )
    check_step(amount, charge["currency"], param="amount")
    return amount


def _refuse(simulator: Simulator, refund: Json, tell: Tell) -> None:
    # No money has left the balance: there is neither a line nor one that takes it back.
    refund.update(status="failed", failure_reason="declined")
    simulator.save(refund)
    tell("refund.created", refund)
    tell("refund.failed", refund)


def _take(simulator: Simulator, refund: Json, charge: Json, *, outcome: RefundOutcome, tell: Tell) -> None:
    status = STARTS_AS[outcome]
    refund.update(
        status=status,
        balance_transaction=_move(simulator, refund, LineType.REFUND),
        pending_reason=PENDING_FOR.get(outcome, "processing") if status == "pending" else None,
    )
    if status == "requires_action":
        refund["next_action"] = {"type": "display_details", "display_details": _display_details(refund)}
    charge["amount_refunded"] += refund["amount"]
    charge["refunded"] = charge["amount_refunded"] == charge["amount_captured"]
    simulator.save(charge)
    simulator.save(refund)
    tell("charge.refunded", charge)
    tell("refund.created", refund)


def _give_up(simulator: Simulator, refund: Json, ending: Ending, reason: str) -> None:
    refund.update(
        status="failed" if ending is Ending.FAIL else "canceled",
        failure_balance_transaction=_move(simulator, refund, LineType.REFUND_FAILURE),
        failure_reason=reason if ending is Ending.FAIL else None,
        pending_reason=None,
        next_action=None,
    )
    charge = simulator.store.get(Kind.CHARGE, refund["charge"])
    if charge is not None:
        charge.update(amount_refunded=charge["amount_refunded"] - refund["amount"], refunded=False)
        simulator.save(charge)


def _move(simulator: Simulator, refund: Json, line_type: LineType) -> str:
    leaves = line_type is LineType.REFUND
    movement = Movement(
        type=line_type,
        category=Category.REFUND if leaves else Category.REFUND_FAILURE,
        amount=-refund["amount"] if leaves else refund["amount"],
        currency=refund["currency"],
        source=refund["id"],
        description="REFUND FOR CHARGE" if leaves else "REFUND FAILURE",
    )
    body = line(movement, settlement=simulator.config.settlement_currency, created=simulator.now())
    simulator.save(body)
    return str(body["id"])


def _display_details(refund: Json) -> Json:
    sent_at = refund["created"]
    return {"email_sent": {"email_sent_at": sent_at, "email_sent_to": refund["instructions_email"]}, "expires_at": None}


def _told_of(ending: Ending) -> tuple[str, ...]:
    # The older name is still sent to endpoints that ask for it.
    always = ("refund.updated", "charge.refund.updated")
    return (*always, "refund.failed") if ending is Ending.FAIL else always


def _set_alarm(simulator: Simulator, refund: Json, ending: Ending) -> None:
    with simulator.store.transaction() as connection:
        connection.execute(
            "INSERT INTO refund_alarms (refund_id, ending, due) VALUES (?, ?, ?)",
            (refund["id"], ending, simulator.now() + SETTLING_TIME),
        )
