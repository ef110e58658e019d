"""Money on its way to the merchant's own bank: which lines of the balance went out together."""

from dataclasses import dataclass

from sandbox.store import Json
from sandbox.stripe.account import after_payment
from sandbox.stripe.account.ledger import Category, LineType, Movement, line
from sandbox.stripe.account.outcomes import NotPossibleError
from sandbox.stripe.simulator import Simulator
from sandbox.stripe.store import Kind

# Provenance by the bank long after Stripe has called the payout paid.
RETURNED = {"failure_code": "account_closed", "failure_message": "The bank account has been closed."}


@dataclass(frozen=True)
class Balance:
    """What has not been paid out in one currency, in its minor unit, and in how many lines."""

    currency: str
    net: int
    lines: int


def balances(simulator: Simulator) -> list[Balance]:
    """Return what has not been paid out, by currency."""
    with simulator.store.transaction() as connection:
        rows = connection.execute(
            "SELECT currency, sum(net) AS net, count(*) AS n FROM unpaid_lines GROUP BY currency ORDER BY currency"
        ).fetchall()
    return [Balance(row["currency"], row["net"], row["n"]) for row in rows]


def pay_out(simulator: Simulator) -> list[Json]:
    """Pay out all there is, one automatic payout for each currency, and return them.

    Nothing waits two days here: what is paid out becomes available with it. A balance below zero is collected by a
    payout of a negative amount, one of exactly zero stays.
    """
    with simulator.store.transaction():
        made = [_pay_out(simulator, balance) for balance in balances(simulator) if balance.net]
    simulator.postman.notify()
    return made


def fail_payout(simulator: Simulator, payout_id: str) -> Json:
    """Let the bank return a payout that was paid; NotPossibleError for one it did, LookupError without one."""
    with simulator.store.transaction():
        payout = simulator.store.get(Kind.PAYOUT, payout_id)
        if payout is None:
            raise LookupError(payout_id)
        if payout["status"] != "paid":
            raise NotPossibleError(f"Cannot fail a payout that is {payout['status']}")
        returned = _line(simulator, payout, LineType.PAYOUT_FAILURE)
        simulator.save(returned)
        payout.update(status="failed", failure_balance_transaction=returned["id"], **RETURNED)
        _tell(simulator, payout, "payout.failed")
    simulator.postman.notify()
    return payout


def _pay_out(simulator: Simulator, balance: Balance) -> Json:
    payout = after_payment.payout(balance.net, balance.currency, created=simulator.now())
    _take_along(simulator, payout)
    own = _line(simulator, payout, LineType.PAYOUT)
    simulator.save({**own, "status": "available", "_payout": payout["id"]})
    payout["balance_transaction"] = own["id"]
    _tell(simulator, payout, "payout.created")
    payout["status"] = "paid"
    _tell(simulator, payout, "payout.paid")
    payout["reconciliation_status"] = "completed"
    _tell(simulator, payout, "payout.reconciliation_completed")
    return payout


def _take_along(simulator: Simulator, payout: Json) -> None:
    with simulator.store.transaction() as connection:
        connection.execute(
            "UPDATE objects SET body = json_set(body, '$._payout', ?, '$.status', 'available')"
            " WHERE seq IN (SELECT seq FROM unpaid_lines WHERE currency = ?)",
            (payout["id"], payout["currency"]),
        )


def _line(simulator: Simulator, payout: Json, line_type: LineType) -> Json:
    leaves = line_type is LineType.PAYOUT
    movement = Movement(
        type=line_type,
        category=Category.PAYOUT if leaves else Category.PAYOUT_REVERSAL,
        amount=-payout["amount"] if leaves else payout["amount"],
        currency=payout["currency"],
        source=payout["id"],
        description=payout["description"],
    )
    # It is already in the currency it is paid out in.
    return line(movement, settlement="", created=simulator.now())


def _tell(simulator: Simulator, payout: Json, event_type: str) -> None:
    simulator.save(payout)
    simulator.emit(event_type, payout)
