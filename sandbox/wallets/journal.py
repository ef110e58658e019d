"""The log of calls wallets received, for tests that ask what really went over the wire."""

import json

from flask import request

from sandbox.faults.injection import NO_ANSWER
from sandbox.faults.orders import Order
from sandbox.store import Json, Store
from sandbox.wallets.notices import now_ms

# Enough for any test run; a sandbox left on for weeks must not grow without end.
KEPT = 10_000

SCHEMA = """
CREATE TABLE IF NOT EXISTS wallet_calls (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    body TEXT NOT NULL
);
"""

# Passwords, keys and what signs with them; numbers that belong to people.
HIDDEN = frozenset(
    {
        *("pp_Password", "pp_SecureHash", "pp_MerchantMPIN", "pp_sign", "pp_CNIC", "pp_MobileNumber", "ppmpf_1"),
        *("merchantHashedReq", "auth_token", "accountNum", "mobileAccountNo", "msisdn", "mobileNumber", "mobileNum"),
    }
)

# A payment's own name, in the dialects that have one.
REFERENCES = ("pp_TxnRefNo", "pp_bill_reference", "pp_txn_id", "orderId", "orderRefNum", "transactionId")


class Journal:
    """The most recent calls."""

    def __init__(self, store: Store) -> None:
        self._store = store
        store.add_tables(SCHEMA)

    def write(
        self, operation: str, dialect: str, status: int, order: Order | None, *, reference: str | None = None
    ) -> None:
        """Record the current request and the status it was answered with."""
        fields = _fields()
        entry: Json = {
            "at_ms": now_ms(),
            "operation": operation,
            "dialect": dialect,
            "method": request.method,
            "path": request.path,
            "reference": reference or next((fields[name] for name in REFERENCES if fields.get(name)), None),
            "fields": {name: "***" if name in HIDDEN and value else value for name, value in fields.items()},
            "status": None if status == NO_ANSWER else status,
            "fault": None if order is None else order.fault,
        }
        with self._store.transaction() as connection:
            cursor = connection.execute("INSERT INTO wallet_calls (body) VALUES (?)", (json.dumps(entry),))
            connection.execute("DELETE FROM wallet_calls WHERE id <= ?", ((cursor.lastrowid or 0) - KEPT,))

    def entries(self) -> list[Json]:
        """Return the calls, oldest first."""
        with self._store.transaction() as connection:
            rows = connection.execute("SELECT body FROM wallet_calls ORDER BY id").fetchall()
        return [json.loads(row["body"]) for row in rows]


def _fields() -> Json:
    body = request.get_json(silent=True) if request.is_json else None
    if not isinstance(body, dict):
        return request.form.to_dict()
    inner = body.get("request")
    return inner if isinstance(inner, dict) else body
