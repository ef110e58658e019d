"""Everything the simulated wallets own together; routes, pages and controls share a single instance."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol
from zoneinfo import ZoneInfo

from sandbox.faults.orders import Faults
from sandbox.store import Store
from sandbox.wallets.actions import Action, NotPossible, take_step
from sandbox.wallets.config import WalletTimes
from sandbox.wallets.journal import Journal
from sandbox.wallets.magic import Behaviour, behaviour_of
from sandbox.wallets.notices import Channel, Postman
from sandbox.wallets.timers import Timers
from sandbox.wallets.transactions import Gateway, Ledger, ReferenceUsed, State, Transaction

KARACHI = ZoneInfo("Asia/Karachi")

# How often a call that waits for a person looks whether one has acted, in seconds.
_LOOK_EVERY = 0.05


@dataclass(frozen=True, kw_only=True)
class Onward:
    """Where a customer's browser goes from a gateway's page: a GET of `url`, or these fields posted to it."""

    method: str
    url: str
    fields: dict[str, str] = field(default_factory=dict)


class Counter(Protocol):
    """What one gateway does in its own way when somebody acts at its page."""

    def channel(self, transaction: Transaction) -> str:
        """Return the name of the channel that tells of the transaction."""

    def press(self, transaction: Transaction, action: Action) -> Onward | None:
        """Do it and return where the browser goes next, if there is a browser; raises NotPossible."""


class WalletService:
    """The transactions of the wallets, and what makes them move."""

    def __init__(
        self,
        store: Store,
        faults: Faults,
        times: WalletTimes,
        channels: Mapping[str, Channel],
        clock: Callable[[], int],
    ) -> None:
        self.store = store
        self.faults = faults
        self.times = times
        self.ledger = Ledger(store)
        self.journal = Journal(store)
        self.postman = Postman(store, faults, times, channels)
        self.timers = Timers(store, self._happen)
        # Filled by each gateway that is served.
        self.counters: dict[Gateway, Counter] = {}
        # Also what held-open connections wait on, so that stopping does not take their minutes.
        self.stopping = threading.Event()
        self._clock = clock

    def start(self) -> None:
        """Deliver notices and let things happen until stopped."""
        self.postman.start()
        self.timers.start()

    def stop(self) -> None:
        """Stop the threads; the store stays open for requests still being answered."""
        self.stopping.set()
        self.timers.stop()
        self.postman.stop()

    def now(self) -> int:
        """Return the gateway's time in unix seconds."""
        return self._clock()

    def pakistan_time(self) -> datetime:
        """Return the gateway's time as its own clocks on the wall show it."""
        return datetime.fromtimestamp(self.now(), UTC).astimezone(KARACHI)

    def act(self, gateway: Gateway, reference: str, action: Action) -> Transaction:
        """Do it and tell the merchant; raises LookupError and NotPossible."""
        with self.store.transaction():
            transaction = self.ledger.get(gateway, reference)
            if transaction is None:
                raise LookupError(reference)
            news = take_step(transaction, action, at=self.now())
            self.ledger.save(transaction)
            if news is not None:
                channel = self.counters[gateway].channel(transaction)
                self.postman.announce(transaction, news, channel=channel)
        self.postman.notify()
        return transaction

    def charge(self, made: Transaction, phone: str) -> tuple[Transaction, Behaviour]:
        """Open a push and do what its number asks for; raises ReferenceUsed, having executed nothing."""
        behaviour = behaviour_of(phone)
        made.state, made.phone_end = State.PENDING, phone[-4:]
        made.told_amount = made.amount + behaviour.mistake
        made.notice_copies = behaviour.notice_copies
        with self.store.transaction():
            is_new = self.ledger.claim(made)
            if is_new:
                made = self._begin(made, behaviour)
        if not is_new:
            raise ReferenceUsed(made.reference)
        if behaviour.waits_for_person:
            made = self._after_person(made)
        return made, behaviour

    def _begin(self, made: Transaction, behaviour: Behaviour) -> Transaction:
        if behaviour.later is not None:
            seconds = behaviour.moment.seconds(self.times)
            self.timers.arrange(made.gateway, made.reference, behaviour.later, seconds=seconds)
        if behaviour.at_once is None:
            return made
        return self.act(made.gateway, made.reference, behaviour.at_once)

    def _after_person(self, made: Transaction) -> Transaction:
        waited = 0.0
        while made.state is State.PENDING and waited < self.times.person_wait and not self.stopping.is_set():
            self.stopping.wait(_LOOK_EVERY)
            waited += _LOOK_EVERY
            made = self.ledger.get(made.gateway, made.reference) or made
        return made

    def _happen(self, gateway: Gateway, reference: str, action: Action) -> None:
        try:
            self.act(gateway, reference, action)
        except (NotPossible, LookupError):
            # A person was quicker, or the state was reset meanwhile.
            return
