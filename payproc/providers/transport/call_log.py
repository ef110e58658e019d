"""A line in the log for each call of a provider: what was asked, how it ended, and how long it took.

The ids and the attempt are the job's, whose context every line of its run carries.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from payproc.domain.payment_methods import PaymentMethod
from payproc.errors import OutcomeUncertain, ProviderError, ProviderUnavailable, RequestRefused

log = structlog.get_logger()


@contextmanager
def logged_call(method: PaymentMethod, operation: str) -> Iterator[None]:
    """Log how a call ends. Of what it said there is a code at most: words and answers may hold secrets."""
    started = time.monotonic_ns()
    outcome, code = "broken", None
    try:
        yield
        outcome = "answered"
    except GeneratorExit:
        # Whoever reads a list page by page has seen enough of it.
        outcome = "answered"
        raise
    except ProviderError as error:
        outcome, code = _outcome(error), error.code
        raise
    finally:
        log.info(
            "provider called",
            provider=method,
            operation=operation,
            outcome=outcome,
            code=code,
            milliseconds=(time.monotonic_ns() - started) // 1_000_000,
        )


def _outcome(error: ProviderError) -> str:
    match error:
        case ProviderUnavailable():
            return "not executed"
        case OutcomeUncertain():
            return "uncertain"
        case RequestRefused():
            return "refused"
        case _:
            return "not supported"
