"""What a worker's processes need: the application of the core that each makes for itself, checked before they begin."""

import functools
import os
import threading
from typing import Any

from celery.signals import celeryd_init, task_prerun, worker_init, worker_process_init
from celery.worker.consumer.delayed_delivery import DelayedDelivery

from payproc.application import Application
from payproc.bootstrap import application_from, load_settings
from payproc.database.room import check_room
from payproc.operations import logs
from payproc.settings.connections import worker_pools
from tasks import brokers
from tasks.app import or_exit
from tasks.time_limit import raise_as_ours

# What RabbitMQ would keep for later: 28 queues and as many exchanges, declared by each worker at each connection. We
# send what is due, and nothing before: when that is stands in the row.
DelayedDelivery.include_if = lambda _step, _consumer: False

_making = threading.Lock()
_inherited: list[Application] = []


@functools.cache
def _application_of(_pid: int) -> Application:
    if _inherited:
        return _inherited[0]
    found = load_settings()
    logs.configure(found)
    return application_from(found, pools=worker_pools(found))


def application() -> Application:
    """Return this process's application: it makes its own, or uses what it inherited, and shares no socket."""
    # A cache does not wait for a first caller: thirty threads would make thirty applications, each with its pool.
    with _making:
        return _application_of(os.getpid())


def bequeath(made: Application) -> None:
    """Have each process that is forked from this one use what is put together here, and connected to nothing yet."""
    _inherited[:] = [made]


@celeryd_init.connect
def send_unconfirmed(conf: Any, **_: Any) -> None:  # noqa: ANN401 (Celery's signal arguments)
    """Have a worker, which sends nothing but events, wait for nobody to confirm them."""
    conf.broker_transport_options = brokers.unconfirmed(conf.broker_transport_options)


@worker_init.connect
def check(**_: Any) -> None:  # noqa: ANN401 (Celery's signal arguments)
    """End this process where it is told wrong: in the parent, for its children would die of it again and again."""
    or_exit(lambda: check_room(load_settings()))


@task_prerun.connect
def own_time_limit(**_: Any) -> None:  # noqa: ANN401 (Celery's signal arguments)
    """Have a task's soft time limit raise ours."""
    # At each task: the pool sets its own handler after a process has been prepared.
    raise_as_ours()


@worker_process_init.connect
def _prepare(**_: Any) -> None:  # noqa: ANN401 (Celery's signal arguments)
    application()
