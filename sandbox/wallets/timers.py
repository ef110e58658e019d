"""Things that happen to transactions later by themselves; they survive a restart."""

import threading
from collections.abc import Callable

from sandbox.condition import CountingCondition
from sandbox.store import Store
from sandbox.wallets.actions import Action
from sandbox.wallets.notices import now_ms
from sandbox.wallets.transactions import Gateway

SCHEMA = """
CREATE TABLE IF NOT EXISTS wallet_alarms (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    gateway TEXT NOT NULL,
    reference TEXT NOT NULL,
    action TEXT NOT NULL,
    due_ms INTEGER NOT NULL
);
"""

Happen = Callable[[Gateway, str, Action], None]


class Timers:
    """One thread that waits for the next due action."""

    def __init__(self, store: Store, happen: Happen) -> None:
        self._store = store
        self._happen = happen
        self._condition = CountingCondition()
        self._thread = threading.Thread(target=self._run, name="wallet-timers", daemon=True)
        store.add_tables(SCHEMA)

    def start(self) -> None:
        """Begin to let things happen."""
        self._thread.start()

    def stop(self) -> None:
        """Let nothing happen any more."""
        self._condition.stop()
        self._thread.join()

    def arrange(self, gateway: Gateway, reference: str, action: Action, *, seconds: float) -> None:
        """Let the action happen after so many seconds."""
        with self._store.transaction() as connection:
            connection.execute(
                "INSERT INTO wallet_alarms (gateway, reference, action, due_ms) VALUES (?, ?, ?, ?)",
                (gateway, reference, action, now_ms() + int(seconds * 1000)),
            )
        self._condition.notify()

    def ring(self) -> None:
        """Let happen what is due."""
        for gateway, reference, action in self._due():
            self._happen(gateway, reference, action)

    def _run(self) -> None:
        while not self._condition.stopped:
            seen = self._condition.count
            self.ring()
            self._condition.wait(seen, self._until_next())

    def _due(self) -> list[tuple[Gateway, str, Action]]:
        with self._store.transaction() as connection:
            rows = connection.execute(
                "SELECT * FROM wallet_alarms WHERE due_ms <= ? ORDER BY due_ms, id", (now_ms(),)
            ).fetchall()
            connection.executemany("DELETE FROM wallet_alarms WHERE id = ?", [(row["id"],) for row in rows])
        return [(Gateway(row["gateway"]), row["reference"], Action(row["action"])) for row in rows]

    def _until_next(self) -> float | None:
        with self._store.transaction() as connection:
            row = connection.execute("SELECT min(due_ms) AS due FROM wallet_alarms").fetchone()
        return None if row["due"] is None else max(0.0, (row["due"] - now_ms()) / 1000)
