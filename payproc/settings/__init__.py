"""The only reader of environment variables. It fails at start and names everything that is wrong at once."""

from typing import Any

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from payproc.errors import SettingsInvalid
from payproc.settings.checks import weaknesses
from payproc.settings.fields import Settings
from payproc.settings.types import DatabaseUrl, Environment, Schedule

__all__ = ["Environment", "Schedule", "Settings", "database_url", "load_settings"]


def load_settings(**overrides: Any) -> Settings:  # noqa: ANN401 (any setting, by name)
    """Read the environment; `overrides` are for tests.

    Raises SettingsInvalid, listing every missing or wrong variable.
    """
    try:
        settings = Settings(**overrides)
    except ValidationError as invalid:
        raise SettingsInvalid([_problem(error) for error in invalid.errors()]) from None
    problems = weaknesses(settings)
    if problems:
        raise SettingsInvalid(problems)
    return settings


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
    try:
        return _DatabaseOnly().database_url
    except ValidationError as invalid:
        raise SettingsInvalid([_problem(error) for error in invalid.errors()]) from None
