"""Easypaisa's ways to write a time; all are Pakistan's."""

from datetime import UTC, datetime

from sandbox.easypaisa.codes import Code, Refused
from sandbox.wallets.service import KARACHI


def read_expiry(text: str, now: datetime) -> datetime:
    """Return the time that reads `YYYYMMDD HHMMSS`; raises Refused for another text and for a time that is over."""
    try:
        expiry = datetime.strptime(text, "%Y%m%d %H%M%S").replace(tzinfo=KARACHI)
    except ValueError:
        raise Refused(Code.BAD_EXPIRY) from None
    if expiry <= now:
        raise Refused(Code.EXPIRY_OVER)
    return expiry


def written(moment: int | datetime) -> str:
    """Return a time, or unix seconds, as answers have it, like `24/11/2026 03:05 PM`."""
    aware = datetime.fromtimestamp(moment, UTC) if isinstance(moment, int) else moment
    return aware.astimezone(KARACHI).strftime("%d/%m/%Y %I:%M %p")
