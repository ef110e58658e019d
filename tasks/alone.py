"""Celery's pool of nobody: a worker that does its work itself, and ends where a task does not.

Whoever started it starts it again (`tasks/together.py`, a container's restart policy). What a process of its own would
be for is here as well: a task's limits hold, and after so many tasks a new process takes over. Chosen by
CELERY_CUSTOM_WORKER_POOL=tasks.alone:TaskPool and `--pool custom`.
"""

from collections.abc import Callable
from os import EX_OK
from typing import Any

from celery.concurrency import solo
from celery.concurrency.base import apply_target
from celery.signals import task_prerun
from celery.worker import state

from tasks.process import own_time_limit
from tasks.time_limit import limited


class TaskPool(solo.TaskPool):  # type: ignore[misc]  # Celery ships no types
    """One task at a time, in the process and the thread that fetches messages."""

    def __init__(self, *rest: Any, **named: Any) -> None:  # noqa: ANN401 (Celery's own)
        super().__init__(*rest, **named)
        # The signal by which a parent would tell of a limit is an operator's here, who asks what the process does.
        task_prerun.disconnect(own_time_limit)
        self.on_apply = self._apply
        self._left: int | None = self.options.get("maxtasksperchild")

    def _apply(
        self,
        target: Callable[..., Any],
        *rest: Any,  # noqa: ANN401 (Celery's own)
        soft_timeout: int,
        timeout: int,
        **named: Any,  # noqa: ANN401 (Celery's own)
    ) -> None:
        with limited(soft=soft_timeout, hard=timeout):
            apply_target(target, *rest, **named)
        if self._left is not None:
            self._left -= 1
            if self._left <= 0:
                # As when it is told to stop: the loop ends before it fetches another message.
                state.should_stop = EX_OK
