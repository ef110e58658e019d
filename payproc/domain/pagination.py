"""Where a page of a list ends: a page number would shift under new rows."""

import base64
import binascii
from datetime import datetime

from payproc.errors import InvalidRequest


def cursor_of(created_at: datetime, row_id: str) -> str:
    """Name a row, by its place among others ordered by creation and id."""
    return base64.urlsafe_b64encode(f"{created_at.isoformat()}|{row_id}".encode()).decode()


def read_cursor(cursor: str) -> tuple[datetime, str]:
    """Return the place that a cursor names.

    Raises InvalidRequest for one that is not ours.
    """
    try:
        moment, _, row_id = base64.urlsafe_b64decode(cursor.encode()).decode().partition("|")
        created_at = datetime.fromisoformat(moment)
    except (binascii.Error, ValueError):
        raise InvalidRequest("This cursor is not one of ours.", code="cursor_invalid", field="cursor") from None
    if created_at.tzinfo is None:
        raise InvalidRequest("This cursor is not one of ours.", code="cursor_invalid", field="cursor")
    return created_at, row_id
