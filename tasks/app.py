"""The Celery application, and the application of the core that each worker process makes for itself."""

import functools
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from celery import Celery
from celery.signals import worker_process_init

from payproc import logs, work
from payproc.application import Application
from payproc.errors import SettingsInvalid
from payproc.settings import load_settings

# One job at a time, and its transactions follow each other: two connections are one to spare.
_CONNECTIONS = 2


def _broker_url() -> str:
    try:
        return load_settings().broker_url
    except SettingsInvalid as invalid:
        sys.exit("payproc tasks cannot start:\n" + "\n".join(f"  {problem}" for problem in invalid.problems))


app = Celery("payproc", broker=_broker_url())
app.config_from_object("celeryconfig")


@functools.cache
def _application_of(_pid: int) -> Application:
    settings = load_settings()
    logs.configure(settings)
    return Application.from_settings(settings, pool_size=_CONNECTIONS)


def application() -> Application:
    """Return this process's application. A fork has another number, so it makes its own and shares no socket."""
    return _application_of(os.getpid())


@worker_process_init.connect
def _prepare(**_: Any) -> None:  # noqa: ANN401 (Celery's signal arguments)
    application()


def run(jobs: Sequence[Mapping[str, str]]) -> int:
    """Run the jobs that a message rings for: `{"job", "ring", "subject"}` each. Return how many were begun."""
    return work.run(application(), [(job["job"], UUID(job["ring"])) for job in jobs])
