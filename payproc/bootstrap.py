"""The one place where an application is put together: it knows every provider, and nothing below knows it."""

from payproc.application import Application
from payproc.database.engine import Database
from payproc.mail.smtp import Mailer
from payproc.operations import circuit_board
from payproc.providers import registry
from payproc.settings import Settings, load_settings


def application_from(settings: Settings, *, pool_size: int = 10) -> Application:
    """Put an application together; nothing is connected until it is used. Do it after a fork."""
    database = Database(settings.database_url, pool_size=pool_size)
    return Application(
        settings=settings,
        database=database,
        providers=registry.build(settings, told=circuit_board.Board(database).note),
        post=Mailer(settings.smtp_url).post,
    )


def application_from_environment(*, pool_size: int = 10) -> Application:
    """Put an application together from the environment.

    Raises SettingsInvalid, naming everything that is wrong.
    """
    return application_from(load_settings(), pool_size=pool_size)
