"""How the console words times, spans and names."""

from datetime import UTC, date, datetime, timedelta

_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
_HOURS_UNTIL = timedelta(hours=48)


def ago(age: timedelta) -> str:
    """Word how long something is past, in its largest unit."""
    if age < _MINUTE:
        return f"{max(age, timedelta()) // timedelta(seconds=1)} s ago"
    if age < _HOUR:
        return f"{age // _MINUTE} min ago"
    if age < _HOURS_UNTIL:
        return f"{age // _HOUR} h ago"
    return f"{age // _DAY} days ago"


def span(took: timedelta | None) -> str:
    """Word how long something took."""
    if took is None:
        return "not yet"
    if took < _MINUTE:
        return f"{took / timedelta(seconds=1):.1f} s"
    if took < _HOUR:
        return f"{took // _MINUTE} min {took % _MINUTE // timedelta(seconds=1)} s"
    return f"{took // _HOUR} h {took % _HOUR // _MINUTE} min"


def moment(at: datetime) -> str:
    """Word a time, in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M}"


def day(of: date) -> str:
    """Word a day of this year."""
    return f"{of.day} {of:%b}"


def plain(name: str) -> str:
    """Word a name that programs use."""
    return name.replace("_", " ")


def many(number: int, noun: str) -> str:
    """Count things: one day, two days."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
