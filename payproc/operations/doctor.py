"""Whether the promises hold: the queries of `invariants.sql`."""

import re
from dataclasses import dataclass
from importlib.resources import files

from sqlalchemy import text
from sqlalchemy.orm import Session


@dataclass(frozen=True, kw_only=True)
class Broken:
    """One row that breaks a promise."""

    name: str
    subject: str
    sentence: str


def invariants() -> dict[str, str]:
    """Return the queries by name, in the file's order."""
    source = files("payproc.database").joinpath("invariants.sql").read_text(encoding="utf-8")
    _, *blocks = re.split(r"^-- name: ", source, flags=re.MULTILINE)
    return {block.split("\n", 1)[0].strip(): block.split("\n", 1)[1].strip() for block in blocks}


def broken_invariants(session: Session) -> list[Broken]:
    """Run every query and return every row that breaks a promise."""
    return [
        Broken(name=name, subject=subject, sentence=sentence)
        for name, query in invariants().items()
        for subject, sentence in session.execute(text(query.rstrip(";").replace(":", r"\:")))
    ]
