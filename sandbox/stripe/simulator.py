"""The simulated account: its state, its faults and its timers."""

import json
import threading
from collections.abc import Callable
from fnmatch import fnmatchcase

from sandbox.faults.orders import Faults
from sandbox.store import Json
from sandbox.stripe.account import objects
from sandbox.stripe.api.idempotency import IdempotencyKeys
from sandbox.stripe.config import StripeConfig
from sandbox.stripe.store import Kind, Query, StripeStore
from sandbox.stripe.webhooks import Postman

# More than an account may have.
_ENDPOINTS = 100


class Simulator:
    """Everything one account owns; the routes and the pages share a single instance."""

    def __init__(self, config: StripeConfig, store: StripeStore, faults: Faults) -> None:
        self.config = config
        self.store = store
        self.faults = faults
        self.keys = IdempotencyKeys(self.store)
        self.postman = Postman(config, self.store, self.faults)
        # Also what held-open connections wait on, so that stopping does not take their minute.
        self.stopping = threading.Event()
        # What restricted keys (rk_…) may not call, by the operations' names.
        self.withheld: frozenset[str] = frozenset()
        self._ticker: threading.Thread | None = None

    def now(self) -> int:
        """Return the account's time in unix seconds."""
        return self.config.clock()

    def save(self, body: Json) -> None:
        """Store the object, marked with the mode of the account."""
        body["livemode"] = self.config.livemode
        self.store.put(body)

    def emit(self, event_type: str, subject: Json, *, request_id: str | None = None, key: str | None = None) -> str:
        """Record an event about the object as it is now, store its delivery, and return its id."""
        with self.store.transaction():
            event = self.record(event_type, subject, created=self.now(), request_id=request_id, key=key)
            if any(fnmatchcase(event_type, pattern) for pattern in self.config.enabled_events):
                self.deliver(event)
            self._deliver_to_endpoints(event)
        return str(event["id"])

    def record(
        self, event_type: str, subject: Json, *, created: int, request_id: str | None = None, key: str | None = None
    ) -> Json:
        """Store an event that nobody is sent, and return it."""
        event = objects.event(event_type, public(subject), created=created, request_id=request_id, key=key)
        self.save(event)
        return event

    def deliver(self, event: Json) -> None:
        """Store one delivery of a recorded event; the caller rings once it has committed."""
        self.postman.enqueue(json.dumps(event, indent=2), event_id=event["id"], event_type=event["type"])

    def _deliver_to_endpoints(self, event: Json) -> None:
        for endpoint in self.store.page(Query(kind=Kind.WEBHOOK_ENDPOINT, limit=_ENDPOINTS)).rows:
            if endpoint["status"] == "enabled" and {"*", event["type"]} & set(endpoint["enabled_events"]):
                told = {**event, "api_version": endpoint["api_version"] or event["api_version"]}
                self.postman.enqueue(
                    json.dumps(told, indent=2),
                    event_id=event["id"],
                    event_type=event["type"],
                    endpoint_id=endpoint["id"],
                )

    def start(self, tick: Callable[[], None], *, every: float = 0.25) -> None:
        """Deliver webhooks and call `tick` every so many seconds until stopped."""
        self.postman.start()
        self._ticker = threading.Thread(target=self._run, args=(tick, every), name="timers", daemon=True)
        self._ticker.start()

    def stop(self) -> None:
        """Stop the threads; the store stays open for requests still being answered."""
        self.stopping.set()
        self.postman.stop()
        if self._ticker is not None:
            self._ticker.join()

    def _run(self, tick: Callable[[], None], every: float) -> None:
        while not self.stopping.wait(every):
            tick()


def public(body: Json) -> Json:
    """Return the object without the notes the simulator keeps in it for itself."""
    return {name: value for name, value in body.items() if not name.startswith("_")}
