"""Everything that must be so before real money moves, looked at side by side."""

import queue
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy.exc import SQLAlchemyError

from payproc.application import Application
from payproc.errors import PayprocError, ProviderUnavailable
from payproc.operations.going_live import servers
from payproc.operations.going_live.arrival import look_for_arrival
from payproc.providers import registry
from payproc.providers.inspection import Finding, Inspectable, Look, Result, fine, missing, note
from payproc.providers.stripe.account import StripeAccount

# Each call within has a time limit of its own, and the longest look makes a dozen calls.
DEADLINE_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True)
class Row:
    """A look by its name, and what it found."""

    check: str
    finding: Finding

    @property
    def is_good(self) -> bool:
        """Whether payments would not suffer from it."""
        return self.finding.result is not Result.MISSING


def every_look(
    app: Application, account: StripeAccount, *, refused_by_production: Sequence[str], mail_to: str | None
) -> Mapping[str, Look]:
    """Name all there is to look at; `refused_by_production` is what production would find wrong with the settings."""
    return {
        "settings": partial(_look_at_settings, app, refused_by_production),
        "database": partial(servers.look_at_database, app),
        "broker": partial(servers.look_at_broker, app.settings),
        "work": partial(servers.look_at_work, app),
        "mail": partial(servers.look_at_mail, app, to=mail_to),
        **account.looks(),
        "test event": partial(look_for_arrival, account, app.database),
        **_wallets(app),
    }


def _wallets(app: Application) -> dict[str, Look]:
    # Without the circuit breakers of the others: what is tried out here must not have them rest.
    built = registry.build(app.settings)
    looks: dict[str, Look] = {}
    for method in registry.PROVIDERS:
        provider = built.get(method)
        if provider is None:
            looks[method] = _not_set_up
        elif isinstance(provider, Inspectable):
            looks[method] = provider.inspect
    return looks


def _not_set_up() -> Finding:
    return note("not set up: customers are not offered it")


def _look_at_settings(app: Application, refused_by_production: Sequence[str]) -> Finding:
    if app.settings.is_production:
        return fine("production takes these settings")
    if not refused_by_production:
        return note(f"ENVIRONMENT is {app.settings.environment}, and production would take these settings")
    return note(
        f"ENVIRONMENT is {app.settings.environment}; production would refuse: {'; '.join(refused_by_production)}",
        to_do="mend these before real money moves",
    )


def look_at_all(looks: Mapping[str, Look], *, deadline_seconds: float = DEADLINE_SECONDS) -> list[Row]:
    """Look side by side, and wait for nobody beyond the deadline."""
    found: queue.SimpleQueue[Row] = queue.SimpleQueue()
    for check, look in looks.items():
        # Nobody waits at the end for one that hangs.
        threading.Thread(target=_look, args=(check, look, found), daemon=True).start()
    rows: dict[str, Row] = {}
    last = time.monotonic() + deadline_seconds
    while len(rows) < len(looks):
        try:
            row = found.get(timeout=max(0, last - time.monotonic()))
        except queue.Empty:
            break
        rows[row.check] = row
    return [rows.get(check) or _late(check, deadline_seconds) for check in looks]


def _late(check: str, seconds: float) -> Row:
    return Row(check=check, finding=missing(f"no answer within {seconds:g} s", to_do="look again, then at its server"))


def _look(check: str, look: Look, found: "queue.SimpleQueue[Row]") -> None:
    found.put(Row(check=check, finding=_found(look)))


def _found(look: Look) -> Finding:
    try:
        return look()
    except ProviderUnavailable as trouble:
        return missing(trouble.message, to_do="see that this machine reaches it")
    except PayprocError as trouble:
        return missing(trouble.message, to_do="compare key and credentials with the portal")
    except SQLAlchemyError as trouble:
        # Never the database's own text: it quotes the address, and that has the password.
        return missing(f"the database does not answer ({type(trouble).__name__})", to_do="python -m payproc db current")
    except Exception as trouble:  # noqa: BLE001 (one look that breaks must not hide what the others found)
        return missing(f"it cannot be looked at ({type(trouble).__name__})", to_do="this is a defect: please report it")
