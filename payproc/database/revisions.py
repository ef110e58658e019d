"""Which revision the tables are of, and which is the newest there is."""

from pathlib import Path

from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.orm import Session

import payproc


def config(url: str) -> Config:
    """Return what Alembic is told; `url` is where the tables are."""
    told = Config(Path(payproc.__file__).parent.parent / "alembic.ini")
    told.attributes["url"] = url
    return told


def newest() -> str | None:
    """Return the newest revision."""
    return ScriptDirectory.from_config(config("")).get_current_head()


def current(session: Session) -> str | None:
    """Return the revision of the tables; None where there are none."""
    return MigrationContext.configure(session.connection()).get_current_revision()
