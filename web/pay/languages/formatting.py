"""Sentences as markup: what is put into them is escaped, and keeps its own direction."""

from datetime import datetime
from zoneinfo import ZoneInfo

from markupsafe import Markup, escape

from payproc.domain.money import Money
from web.pay.languages.vocabulary import Vocabulary

_PAKISTAN = ZoneInfo("Asia/Karachi")
# What people call a currency where its code is not what they know it by.
_SIGNS = {"pkr": "Rs"}


def say(sentence: str, **parts: object) -> Markup:
    """Put parts into a sentence; each stands apart, so that a name in one script does not turn the other around."""
    apart = {name: part if isinstance(part, Markup) else own(part) for name, part in parts.items()}
    return escape(sentence).format(**apart)


def own(text: object) -> Markup:
    """Let a text run in the direction of its own first letter."""
    return Markup("<bdi>{}</bdi>").format(text)


def code(text: object) -> Markup:
    """Write digits and codes from left to right, whatever stands around them."""
    return Markup('<bdi dir="ltr" class="code">{}</bdi>').format(text)


def amount(money: Money) -> Markup:
    """Write an amount as it is known in Pakistan, Rs 1,250.50; another currency goes by its code."""
    unit = money.currency
    sign = _SIGNS.get(unit.code, unit.code.upper())
    # Never broken at its space: a line that ends in "Rs" makes people look for the number.
    return Markup('<bdi dir="ltr" class="code money">{}</bdi>').format(f"{sign} {money.major:,.{unit.exponent}f}")


def moment(words: Vocabulary, at: datetime) -> Markup:
    """Write a time as clocks in Pakistan show it. The words beside it say that."""
    there = at.astimezone(_PAKISTAN)
    return say(
        words.moment,
        day=code(there.day),
        month=words.months[there.month - 1],
        year=code(there.year),
        clock=code(f"{there.hour % 12 or 12}:{there.minute:02}"),
        part=words.day_parts[there.hour],
    )


def grouped_token(token: str) -> Markup:
    """Write a token in fours, to be read out; what is copied has no spaces."""
    fours = (token[start : start + 4] for start in range(0, len(token), 4))
    return code(Markup("").join(Markup("<span>{}</span>").format(four) for four in fours))
