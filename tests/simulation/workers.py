"""The broker, the relay and the workers, without threads: whose turn it is, and which message, the driver says."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch
from uuid import UUID

from payproc.application import Application
from tasks import relay, runner
from tasks.crew import Crew
from tasks.freshness import DatabaseClock


@dataclass(frozen=True, kw_only=True)
class Message:
    """A message as the broker has it."""

    queue: str
    jobs: Sequence[Mapping[str, str]]

    def is_about(self, subject: str) -> bool:
        """Tell whether a job of it is about this."""
        return any(job["subject"] == subject for job in self.jobs)


class Broker:
    """Messages that are sent and not fetched. It is also what the relay asks about the lengths of its queues."""

    def __init__(self) -> None:
        self.waiting: list[Message] = []

    def send_task(self, _name: str, *, args: Sequence[Any], queue: str, **_options: Any) -> None:
        self.waiting.append(Message(queue=queue, jobs=args[0]))

    def lengths(self) -> Mapping[str, int]:
        return Counter(message.queue for message in self.waiting)

    def grows(self) -> None:
        """Nothing is remembered of lengths here."""

    def connection(self) -> None:
        """Have none: what is sent is here at once."""

    def settles(self) -> None:
        """Nothing is remembered of lengths here."""


class OneByOne(Crew):
    """A crew of one: whoever submits waits until it is done, and dies of it."""

    def __init__(self) -> None:
        """Have no threads."""

    @contextmanager
    def places(self, count: int, *, longest: timedelta) -> Iterator[Any]:
        assert count
        assert longest
        yield self

    def submit(self, act: Callable[[], None]) -> Future[None]:
        act()
        done: Future[None] = Future()
        done.set_result(None)
        return done


def work(app: Application, message: Message) -> int:
    """Run a message's jobs as a worker does, and return how many were claimed. Raises Death."""
    dispatched = [(job["job"], UUID(job["ring"])) for job in message.jobs]
    return runner.run(app, dispatched, until=datetime.fromisoformat(message.jobs[0]["until"]), crew=OneByOne())


@contextmanager
def employed(broker: Broker) -> Iterator[None]:
    """Have relay and workers of this process use a broker.

    No thread renews a lease: each worker is one that fell silent as soon as it had begun, which may turn out to live.
    """
    with ExitStack() as patched:
        patched.enter_context(patch.object(relay, "backlog", broker))
        patched.enter_context(patch.object(relay, "celery", broker))
        patched.enter_context(patch.object(runner, "held", lambda *_, **__: nullcontext()))
        patched.enter_context(patch.object(runner, "_clock", DatabaseClock()))
        yield
