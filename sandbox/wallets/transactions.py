"""What a wallet knows of a payment, and where it keeps it."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from enum import StrEnum

from sandbox.store import Json, Store

SCHEMA = """
CREATE TABLE IF NOT EXISTS wallet_transactions (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    gateway TEXT NOT NULL,
    reference TEXT NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (gateway, reference)
);
CREATE INDEX IF NOT EXISTS wallet_transactions_by_reference ON wallet_transactions (reference);
CREATE TABLE IF NOT EXISTS wallet_naming (gateway TEXT PRIMARY KEY, naming TEXT NOT NULL);
"""


class Gateway(StrEnum):
    """The wallets, by the first part of their paths."""

    JAZZCASH = "jazzcash"
    EASYPAISA = "easypaisa"


class Dialect(StrEnum):
    """In which of a gateway's languages a payment began."""

    GUIDE = "guide"
    HOSTED = "hosted"
    MWALLET_1_1 = "mwallet-1.1"
    MWALLET_2_0 = "mwallet-2.0"
    REST_V4 = "rest-v4"
    REST_V5 = "rest-v5"


class State(StrEnum):
    """Where the money is."""

    INITIATED = "initiated"  # a page is shown and nobody has chosen yet
    PENDING = "pending"
    PAID = "paid"
    FAILED = "failed"
    DROPPED = "dropped"
    EXPIRED = "expired"
    REVERSED = "reversed"


class Naming(StrEnum):
    """What a gateway calls a payment of the integration guide's dialect, which does not say."""

    REFERENCE = "reference"  # as the merchant does
    AUTH_CODE = "auth_code"  # by the merchant's pp_auth_code
    OWN = "own"  # by an id of its own, and the merchant's bill reference beside it
    BARE = "bare"  # the same, but beside it in notices alone


class Reason(StrEnum):
    """Why a payment failed."""

    DECLINED = "declined"
    LOW_BALANCE = "low_balance"
    CANCELLED = "cancelled"


@dataclass(kw_only=True)
class Transaction:
    """One payment at a wallet; amounts are paisa, times unix seconds."""

    gateway: Gateway
    reference: str
    dialect: Dialect
    amount: int
    # What the gateway says the amount is, wherever its dialect says one.
    told_amount: int
    created_at: int
    method: str = ""
    state: State = State.INITIATED
    reason: Reason | None = None
    # More than one of either would be somebody's money gone twice.
    debits: int = 0
    charge_calls: int = 1
    refunded: int = 0
    refunds: list[Json] = field(default_factory=list)
    notice_copies: int = 1
    status_fetches: int = 0
    # The last four digits: nothing needs the others once the number's magic is done.
    phone_end: str = ""
    gateway_id: str = ""
    # What the merchant sent and gets back in answers and notices. No secret is among it.
    echo: dict[str, str] = field(default_factory=dict)
    history: list[Json] = field(default_factory=list)

    @property
    def called(self) -> str:
        """What the gateway calls it in the guide's dialect."""
        return self.echo.get("called", self.reference)

    @property
    def public(self) -> Json:
        """The transaction as the controls show it."""
        return {name: value for name, value in asdict(self).items() if name != "echo"}


class ReferenceUsed(Exception):
    """A charge under a reference that already has a transaction; nothing was executed."""


class Ledger:
    """The transactions of all wallets."""

    def __init__(self, store: Store) -> None:
        self._store = store
        store.add_tables(SCHEMA)

    def open(self, made: Transaction) -> None:
        """Keep a new transaction; raises ReferenceUsed and counts the attempt when there is one already."""
        if not self.claim(made):
            raise ReferenceUsed(made.reference)

    def claim(self, made: Transaction) -> bool:
        """Keep a new transaction, or count the attempt and return False when its reference has one already.

        For use inside a transaction of the store, which an exception would roll back together with the count.
        """
        with self._store.transaction() as connection:
            known = self.get(made.gateway, made.reference)
            if known is None:
                connection.execute(
                    "INSERT INTO wallet_transactions (gateway, reference, body) VALUES (?, ?, ?)",
                    (made.gateway, made.reference, json.dumps(asdict(made))),
                )
                return True
            known.charge_calls += 1
            self.save(known)
        return False

    def save(self, changed: Transaction) -> None:
        """Write the transaction over its former self."""
        with self._store.transaction() as connection:
            connection.execute(
                "UPDATE wallet_transactions SET body = ? WHERE gateway = ? AND reference = ?",
                (json.dumps(asdict(changed)), changed.gateway, changed.reference),
            )

    def get(self, gateway: Gateway, reference: str) -> Transaction | None:
        """Return the gateway's transaction of that reference, if it has one."""
        with self._store.transaction() as connection:
            row = connection.execute(
                "SELECT body FROM wallet_transactions WHERE gateway = ? AND reference = ?", (gateway, reference)
            ).fetchone()
        return None if row is None else _loaded(row["body"])

    def called(self, gateway: Gateway, name: str) -> Transaction | None:
        """Return the gateway's transaction that it calls so in the guide's dialect, and by no other name."""
        return self._by_echo(gateway, "coalesce(json_extract(body, '$.echo.called'), reference)", name)

    def of_auth_code(self, gateway: Gateway, code: str) -> Transaction | None:
        """Return the gateway's transaction that was opened with this auth code."""
        return self._by_echo(gateway, "json_extract(body, '$.echo.pp_auth_code')", code)

    def _by_echo(self, gateway: Gateway, what: str, value: str) -> Transaction | None:
        query = f"SELECT body FROM wallet_transactions WHERE gateway = ? AND {what} = ?"  # noqa: S608 (our own two words)
        with self._store.transaction() as connection:
            row = connection.execute(query, (gateway, value)).fetchone()
        return None if row is None else _loaded(row["body"])

    def naming(self, gateway: Gateway) -> Naming:
        """Return how the gateway calls new payments of the guide's dialect."""
        with self._store.transaction() as connection:
            row = connection.execute("SELECT naming FROM wallet_naming WHERE gateway = ?", (gateway,)).fetchone()
        return Naming.REFERENCE if row is None else Naming(row["naming"])

    def rename(self, gateway: Gateway, naming: Naming) -> None:
        """Have the gateway call new payments of the guide's dialect so, until everything is forgotten."""
        with self._store.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO wallet_naming VALUES (?, ?)", (gateway, naming))

    def find(self, reference: str) -> list[Transaction]:
        """Return every gateway's transaction of that reference."""
        with self._store.transaction() as connection:
            rows = connection.execute(
                "SELECT body FROM wallet_transactions WHERE reference = ? ORDER BY seq DESC", (reference,)
            ).fetchall()
        return [_loaded(row["body"]) for row in rows]

    def waiting(self, gateway: Gateway, state: State) -> list[Transaction]:
        """Return the gateway's transactions that are in the state, newest first."""
        with self._store.transaction() as connection:
            rows = connection.execute(
                "SELECT body FROM wallet_transactions WHERE gateway = ? AND json_extract(body, '$.state') = ?"
                " ORDER BY seq DESC",
                (gateway, state),
            ).fetchall()
        return [_loaded(row["body"]) for row in rows]

    def all_of(self, gateway: Gateway) -> list[Transaction]:
        """Return every transaction of the gateway, oldest first."""
        with self._store.transaction() as connection:
            rows = connection.execute(
                "SELECT body FROM wallet_transactions WHERE gateway = ? ORDER BY seq", (gateway,)
            ).fetchall()
        return [_loaded(row["body"]) for row in rows]

    def newest(self, limit: int) -> list[Transaction]:
        """Return so many transactions, newest first."""
        with self._store.transaction() as connection:
            rows = connection.execute(
                "SELECT body FROM wallet_transactions ORDER BY seq DESC LIMIT ?", (limit,)
            ).fetchall()
        return [_loaded(row["body"]) for row in rows]

    def change(self, gateway: Gateway, reference: str, edit: Callable[[Transaction], None]) -> Transaction:
        """Edit the transaction in one commit and return it; raises LookupError when there is none."""
        with self._store.transaction():
            found = self.get(gateway, reference)
            if found is None:
                raise LookupError(reference)
            edit(found)
            self.save(found)
        return found


def _loaded(text: str) -> Transaction:
    body: Json = json.loads(text)
    body["gateway"] = Gateway(body["gateway"])
    body["dialect"] = Dialect(body["dialect"])
    body["state"] = State(body["state"])
    body["reason"] = None if body["reason"] is None else Reason(body["reason"])
    return Transaction(**body)
