"""The only reader of environment variables. It fails at start and names everything that is wrong at once."""

from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from payproc.errors import SettingsInvalid
from payproc.settings.connections import connection_problems
from payproc.settings.fields import Broker, Servers, Settings
from payproc.settings.types import DatabaseUrl, Environment, Schedule

__all__ = [
    "Broker",
    "Environment",
    "Schedule",
    "Servers",
    "Settings",
    "application_password",
    "broker",
    "database_url",
    "load",
    "servers",
]

Group = TypeVar("Group", bound=BaseSettings)


def load(group: type[Group], *checks: Callable[[Group], list[str]], **overrides: Any) -> Group:  # noqa: ANN401 (any setting, by name)
    """Read a group of settings from the environment; each check names what is wrong with those it knows.

    `overrides` take the place of variables: for tests. Raises SettingsInvalid, listing every missing or wrong variable.
    """
    try:
        found = group(**overrides)
    except ValidationError as invalid:
        raise SettingsInvalid([_problem(error) for error in invalid.errors()]) from None
    # Two providers may find the same fault with a setting that both use.
    if problems := list(dict.fromkeys(problem for check in checks for problem in check(found))):
        raise SettingsInvalid(problems)
    return found


def _problem(error: Any) -> str:  # noqa: ANN401 (pydantic's ErrorDetails, whose `input` may be a secret: not shown)
    name = ".".join(str(part) for part in error["loc"]).upper()
    if error["type"] == "missing":
        return f"{name} is not set"
    return f"{name}: {error['msg'].removeprefix('Value error, ')}"


class _DatabaseOnly(BaseSettings):
    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    database_url: DatabaseUrl = Field(repr=False)


def database_url() -> str:
    """Read DATABASE_URL alone: a migration needs no provider's keys.

    Raises SettingsInvalid.
    """
    return load(_DatabaseOnly).database_url


class _ApplicationRole(BaseSettings):
    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    application_password: SecretStr | None = None


def application_password() -> str | None:
    """Read APPLICATION_PASSWORD alone: what the role of the processes logs in with, told to who makes that role."""
    found = load(_ApplicationRole).application_password
    return found.get_secret_value() if found else None


def broker() -> Broker:
    """Read the broker's settings alone: who only looks on, or ticks, needs neither the database nor a provider's keys.

    Raises SettingsInvalid.
    """
    return load(Broker)


def servers() -> Servers:
    """Read what a process needs that speaks to no provider.

    Raises SettingsInvalid.
    """
    return load(Servers, connection_problems)
