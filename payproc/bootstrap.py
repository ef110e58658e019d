"""The one place where an application is put together: it knows every provider, and nothing below knows it."""

from functools import cache
from typing import Any

from pydantic import create_model

from payproc.application import Application
from payproc.database.engine import Database
from payproc.operations import circuit_status
from payproc.outgoing.mail.smtp import Mailer
from payproc.providers import registry
from payproc.settings import Settings, load
from payproc.settings.checks import deployment_problems
from payproc.settings.connections import Pools


def settings_type() -> type[Settings]:
    """Return the class of every setting there is: the deployment's own, and each registered provider's."""
    return _joined(tuple(each.settings for each in registry.PROVIDERS.values()))


@cache
def _joined(groups: tuple[type[Settings], ...]) -> type[Settings]:
    # Backwards, because the fields of the last base come first.
    return create_model("Settings", __base__=groups[::-1])


def load_settings(**overrides: Any) -> Settings:  # noqa: ANN401 (any setting, by name)
    """Read the environment: one object, in which each provider sees its own group. `overrides` are for tests.

    Raises SettingsInvalid, listing every missing or wrong variable.
    """
    checks = (each.problems for each in registry.PROVIDERS.values())
    return load(settings_type(), deployment_problems, *checks, **overrides)


def application_from(settings: Settings, *, pools: Pools) -> Application:
    """Put an application together; nothing is connected until it is used, so a fork may use its parent's."""
    database = Database(settings.database_url, pool_size=pools.transactions, statements=pools.statements)
    return Application(
        settings=settings,
        database=database,
        providers=registry.build(settings, status=circuit_status.CircuitStatusStore(database)),
        mailer=Mailer(settings.smtp_url),
    )


def application_from_environment(*, pools: Pools) -> Application:
    """Put an application together from the environment.

    Raises SettingsInvalid, naming everything that is wrong.
    """
    return application_from(load_settings(), pools=pools)
