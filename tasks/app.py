"""The Celery application, and the application of the core that each worker process makes for itself."""

import functools
import os
import sys
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from celery import Celery
from celery.signals import task_prerun, worker_init, worker_process_init
from kombu.transport.redis import Channel as RedisChannel

from payproc import settings
from payproc.application import Application
from payproc.bootstrap import application_from, check_room, load_settings
from payproc.errors import SettingsInvalid
from payproc.operations import logs
from payproc.settings.connections import worker_pools
from tasks.time_limit import raise_as_ours

Found = TypeVar("Found")


def _or_exit(read: Callable[[], Found]) -> Found:
    try:
        return read()
    except SettingsInvalid as invalid:
        sys.exit("payproc tasks cannot start:\n" + "\n".join(f"  {problem}" for problem in invalid.problems))


# Alone, for beat and Flower load this module as well, and they are told nothing else.
app = Celery("payproc", broker=_or_exit(settings.broker_url))
app.config_from_object("celeryconfig")
# What a worker has fetched and not claimed need not go back into Redis when its connection ends: its row is
# dispatched again within RING_LEASE. kombu 5.7 puts it back also where the connection is gone, and the worker's main
# process ends with that (`restore_unacked_once` on a channel without a connection).
RedisChannel.do_restore = False


_making = threading.Lock()


@functools.cache
def _application_of(_pid: int) -> Application:
    found = load_settings()
    logs.configure(found)
    return application_from(found, pools=worker_pools(found))


def application() -> Application:
    """Return this process's application. A fork has another number, so it makes its own and shares no socket."""
    # A cache does not wait for a first caller: thirty threads would make thirty applications, each with its pool.
    with _making:
        return _application_of(os.getpid())


@worker_init.connect
def _check(**_: Any) -> None:  # noqa: ANN401 (Celery's signal arguments)
    # In the parent: what its children would each find out, and die of, again and again.
    _or_exit(lambda: check_room(load_settings()))


@task_prerun.connect
def _own_time_limit(**_: Any) -> None:  # noqa: ANN401 (Celery's signal arguments)
    # At each task: the pool sets its own handler after a process has been prepared.
    raise_as_ours()


@worker_process_init.connect
def _prepare(**_: Any) -> None:  # noqa: ANN401 (Celery's signal arguments)
    application()
