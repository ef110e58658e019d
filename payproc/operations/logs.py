"""Logs: one JSON line an event in production, readable lines elsewhere, always with ids and never with secrets."""

import logging
import sys
import traceback
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import structlog
from sqlalchemy.exc import DBAPIError

from payproc.settings import Environment, Servers

# Names whose values never belong in a log, wherever they come from.
_SECRET_NAMES = frozenset(
    {
        "authorization",
        "api_key",
        "password",
        "secret",
        "token",
        "credential",
        "stripe_signature",
        "phone",
        "cnic",
        "mpin",
    }
)


def configure(settings: Servers) -> None:
    """Set up structlog for this process; library logs go the same way, warnings and worse."""
    production = settings.environment is Environment.PRODUCTION
    renderer = structlog.processors.JSONRenderer() if production else structlog.dev.ConsoleRenderer(colors=False)
    _configure(renderer, level=logging.getLevelNamesMapping()[settings.log_level])


@contextmanager
def warnings_only() -> Iterator[None]:
    """Log warnings and worse meanwhile, beside what a command says on its standard output: that is its own answer."""
    before = structlog.get_config()
    _configure(structlog.dev.ConsoleRenderer(colors=False), level=logging.WARNING)
    try:
        yield
    finally:
        structlog.configure(**before)


def _configure(renderer: structlog.typing.Processor, *, level: int) -> None:
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _without_secrets,
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def _without_secrets(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:  # noqa: ANN401 (structlog's own shape)
    for name in event.keys() & _SECRET_NAMES:
        event[name] = "***"
    return event


def described(defect: BaseException) -> dict[str, str]:
    """Describe a defect for a log: where it happened, and what it says unless the database says it.

    PostgreSQL quotes the whole offending row in its message, with the customer's address and phone in it.
    """
    where = "".join(traceback.format_tb(defect.__traceback__))
    if isinstance(defect, DBAPIError):
        constraint = getattr(getattr(defect.orig, "diag", None), "constraint_name", None)
        return {"error": type(defect).__name__, "constraint": str(constraint), "where": where}
    return {"error": f"{type(defect).__name__}: {defect}", "where": where}
