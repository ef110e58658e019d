"""The Celery application, and the application of the core that each worker process makes for itself."""

import functools
import os
import sys
import threading
from typing import Any

from celery import Celery
from celery.signals import worker_process_init
from kombu.transport.redis import Channel as RedisChannel

from payproc.application import Application
from payproc.bootstrap import application_from, load_settings
from payproc.errors import SettingsInvalid
from payproc.operations import logs

# Dozens of inquiries wait side by side, but a transaction is a few milliseconds long: they share these connections. A
# worker that runs one job at a time opens one or two of them.
_CONNECTIONS = 20


def _broker_url() -> str:
    try:
        return load_settings().broker_url
    except SettingsInvalid as invalid:
        sys.exit("payproc tasks cannot start:\n" + "\n".join(f"  {problem}" for problem in invalid.problems))


app = Celery("payproc", broker=_broker_url())
app.config_from_object("celeryconfig")
# What a worker has fetched and not claimed need not go back into Redis when its connection ends: its row is
# dispatched again within RING_LEASE. kombu 5.7 puts it back also where the connection is gone, and the worker's main
# process ends with that (`restore_unacked_once` on a channel without a connection).
RedisChannel.do_restore = False


_making = threading.Lock()


@functools.cache
def _application_of(_pid: int) -> Application:
    settings = load_settings()
    logs.configure(settings)
    return application_from(settings, pool_size=_CONNECTIONS)


def application() -> Application:
    """Return this process's application. A fork has another number, so it makes its own and shares no socket."""
    # A cache does not wait for a first caller: thirty threads would make thirty applications, each with its pool.
    with _making:
        return _application_of(os.getpid())


@worker_process_init.connect
def _prepare(**_: Any) -> None:  # noqa: ANN401 (Celery's signal arguments)
    application()
