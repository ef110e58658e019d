"""A batch's deliveries side by side: a lane for each endpoint, so that a slow one keeps none of the others waiting."""

import contextvars
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

from payproc import jobs
from payproc.outgoing.webhooks.sending.health import EndpointDown, EndpointHealth, Held
from payproc.outgoing.webhooks.sending.noting import Outcome
from payproc.outgoing.webhooks.sending.pending import Pending
from payproc.outgoing.webhooks.sending.sender import AttemptResult, Sender

# So many calls of one endpoint at once: it is somebody's shop.
_ABREAST = 4

Work = tuple[jobs.Claimed, Pending]
# What a lane tells of one of its deliveries: what came of the try, or why there was none.
Result = Outcome | tuple[jobs.Claimed, Exception]


class Lane:
    """The deliveries of one endpoint, in their order."""

    def __init__(self, works: Sequence[Work], *, signed_by: Sequence[str], health: EndpointHealth) -> None:
        self._waiting = deque(works)
        self._signed_by = signed_by
        self._health = health
        self._held: Held | None = None

    @property
    def abreast(self) -> int:
        """How many threads it wants."""
        return min(len(self._waiting), _ABREAST)

    def run(self, sender: Sender, tell: Callable[[Result], None], *, is_late: Callable[[], bool]) -> None:
        """Deliver one after the other, and tell of each; what is not begun in time was not reached."""
        while True:
            try:
                job, pending = self._waiting.popleft()
            except IndexError:
                return
            try:
                tell(self._attempt(sender, job, pending, late=is_late()))
            except Exception as reason:  # noqa: BLE001 (the edge of a thread: who waits for it hears why, and decides)
                tell((job, reason))

    def _attempt(self, sender: Sender, job: jobs.Claimed, pending: Pending, *, late: bool) -> Outcome:
        if self._held is not None:
            raise self._held
        if late:
            raise jobs.NotReached("Its endpoint took its time with those before.")
        try:
            return Outcome(job=job, pending=pending, tried=self._guarded(sender, job, pending))
        except Held as held:
            # All behind it would be told the same.
            self._held = held
            raise

    def _guarded(self, sender: Sender, job: jobs.Claimed, pending: Pending) -> AttemptResult:
        try:
            with self._health.guard():
                jobs.check_held(job)
                tried = sender.post(pending.request(signed_by=self._signed_by, now=datetime.now(UTC)))
                self._health.judge(tried)
        except EndpointDown as down:
            return down.tried
        return tried


def run_all(lanes: Sequence[Lane], sender: Sender, *, is_late: Callable[[], bool]) -> Iterator[Sequence[Result]]:
    """Run lanes, each in threads of its own, and find what they tell: what has come by the time it is asked for."""
    told: queue.SimpleQueue[Result | None] = queue.SimpleQueue()
    threads = [_begun(lane, sender, told, is_late) for lane in lanes for _ in range(lane.abreast)]
    running = len(threads)
    while running:
        found = [told.get()]
        while not told.empty():
            found.append(told.get())
        running -= found.count(None)
        if some := [each for each in found if each is not None]:
            yield some
    for thread in threads:
        thread.join()


def _begun(
    lane: Lane, sender: Sender, told: "queue.SimpleQueue[Result | None]", is_late: Callable[[], bool]
) -> threading.Thread:
    def run() -> None:
        try:
            lane.run(sender, told.put, is_late=is_late)
        finally:
            told.put(None)

    thread = threading.Thread(target=contextvars.copy_context().run, args=(run,), name="webhook", daemon=True)
    thread.start()
    return thread


def by_endpoint(works: Sequence[Work]) -> Mapping[str, Sequence[Work]]:
    """Divide a batch's work into what is of each endpoint."""
    found: dict[str, list[Work]] = {}
    for job, pending in works:
        found.setdefault(pending.endpoint.id, []).append((job, pending))
    return found
