"""The languages we write to people in, and how each of them writes a time."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from payproc.domain.phrases import Direction, Phrase, Value, code, phrase, words


class Locale(StrEnum):
    """The tags of the languages."""

    ENGLISH = "en"
    URDU = "ur"


@dataclass(frozen=True, kw_only=True)
class Language:
    """How a language is written. `months` begin with January, `day_parts` with midnight's hour."""

    locale: Locale
    name: str  # in itself
    direction: Direction
    months: tuple[str, ...]
    day_parts: tuple[str, ...]
    zones: Mapping[str, str]  # whose clocks have a name; others are told by what they are ahead of UTC

    def moment(self, sentence: str, at: datetime, *, zone: str) -> Phrase:
        """Put a time, as the clocks of a zone show it, into a sentence that says whose they are.

        It may hold {day}, {month}, {year}, {zone}, and {clock} of 24 hours or {half_day_clock} with its {part} of the
        day.
        """
        there = at.astimezone(ZoneInfo(zone))
        return phrase(
            sentence,
            day=code(there.day),
            month=words(self.months[there.month - 1]),
            year=code(there.year),
            clock=code(f"{there:%H:%M}"),
            half_day_clock=code(f"{there.hour % 12 or 12}:{there:%M}"),
            part=words(self.day_parts[there.hour]),
            zone=self.clock(at, zone=zone),
        )

    def clock(self, at: datetime, *, zone: str) -> Value:
        """Say whose clock it is that `moment` shows."""
        ahead = f"{at.astimezone(ZoneInfo(zone)):%z}"
        return words(self.zones[zone]) if zone in self.zones else code(f"UTC{ahead[:3]}:{ahead[3:]}")


ENGLISH = Language(
    locale=Locale.ENGLISH,
    name="English",
    direction="ltr",
    months=(
        *("January", "February", "March", "April", "May", "June"),
        *("July", "August", "September", "October", "November", "December"),
    ),
    day_parts=("am",) * 12 + ("pm",) * 12,
    zones={"Asia/Karachi": "Pakistan time", "UTC": "UTC"},
)
URDU = Language(
    locale=Locale.URDU,
    name="اردو",
    direction="rtl",
    months=(
        *("جنوری", "فروری", "مارچ", "اپریل", "مئی", "جون"),
        *("جولائی", "اگست", "ستمبر", "اکتوبر", "نومبر", "دسمبر"),
    ),
    day_parts=("رات",) * 4 + ("صبح",) * 8 + ("دوپہر",) * 4 + ("شام",) * 4 + ("رات",) * 4,
    zones={"Asia/Karachi": "پاکستان کا وقت", "UTC": "یو ٹی سی"},
)
