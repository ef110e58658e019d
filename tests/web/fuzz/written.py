"""Which tables gained, changed or lost a row since somebody last asked: told by triggers, so what is undone is not."""

import re
from dataclasses import dataclass, field

import psycopg

_WATCH = """
    CREATE SCHEMA fuzz;
    CREATE TABLE fuzz.written (what text);
    CREATE FUNCTION fuzz.note() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN INSERT INTO fuzz.written VALUES (tg_op || ' ' || tg_table_name); RETURN NULL; END $$;
"""
_TABLES = """
    SELECT relname FROM pg_class
    WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'alembic_version'
"""


@dataclass(kw_only=True)
class Written:
    """The watch over one database. It costs a question of a fifth of a millisecond each time."""

    url: str
    _session: psycopg.Connection[tuple[str]] = field(init=False)

    def __post_init__(self) -> None:
        self._session = psycopg.connect(re.sub(r"^postgresql\+\w+:", "postgresql:", self.url), autocommit=True)
        self._session.execute(_WATCH)
        for (table,) in self._session.execute(_TABLES).fetchall():
            self._session.execute(
                f'CREATE TRIGGER fuzz AFTER INSERT OR UPDATE OR DELETE ON "{table}" '
                "FOR EACH ROW EXECUTE FUNCTION fuzz.note()"
            )

    def since(self) -> set[str]:
        """Return what was written since this was last asked, such as `INSERT payments`."""
        return {what for (what,) in self._session.execute("DELETE FROM fuzz.written RETURNING what").fetchall()}

    def close(self) -> None:
        self._session.close()
