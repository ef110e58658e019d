"""What a probe is answered."""

from typing import Literal

from pydantic import Field

from web.schemas.base import Answer


class AliveAnswer(Answer):
    """The process lives."""

    status: Literal["ok"] = "ok"


class ReadyAnswer(Answer):
    """Requests can be served, and how much work waits."""

    status: Literal["ready"] = "ready"
    database: Literal["ok"] = "ok"
    backlog: dict[str, int] = Field(
        examples=[{"jobs_due": 3, "oldest_due_seconds": 1, "jobs_dead": 0, "reviews_open": 0}]
    )
    circuits: dict[str, str] = Field(
        description="Calls to a gateway that failed in a row: open ones are left alone, half-open ones are tried.",
        examples=[{"jazz_cash inquiry": "open", "easy_paisa inquiry": "closed"}],
    )
