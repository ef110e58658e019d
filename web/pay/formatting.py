"""How the pay page writes sentences and values, as markup."""

from datetime import datetime

from markupsafe import Markup

from payproc.domain import phrases
from payproc.domain.money import Money
from payproc.domain.phrases import Kind, Part, Phrase, Value, as_markup, phrase, words
from web.pay.languages.vocabulary import Vocabulary

# What people call a currency where its code is not what they know it by.
_SIGNS = {"pkr": "Rs"}
_ATTRIBUTES = {
    Kind.WORDS: Markup(""),
    Kind.CODE: Markup(' dir="ltr" class="code"'),
    Kind.AMOUNT: Markup(' dir="ltr" class="code money"'),
}


def say(sentence: str, **parts: str | Part) -> Markup:
    """Put parts into a sentence."""
    return alone(phrase(sentence, **{name: _part(part) for name, part in parts.items()}))


def alone(part: str | Part) -> Markup:
    """Write a part by itself; what is mere text is somebody's own words."""
    return as_markup(_part(part), _marked)


def _part(part: str | Part) -> Part:
    return words(part) if isinstance(part, str) else part


def _marked(value: Value) -> Markup:
    return Markup("<bdi{}>{}</bdi>").format(_ATTRIBUTES[value.kind], value.text)


def amount(money: Money) -> Value:
    """Write an amount as it is known in Pakistan, Rs 1,250.50; another currency goes by its code."""
    unit = money.currency.code
    return phrases.amount(f"{_SIGNS.get(unit, unit.upper())} {money.digits}")


def moment(spoken: Vocabulary, at: datetime, *, zone: str) -> Phrase:
    """Write a time as the clocks of a zone show it. `clock` says whose they are."""
    return spoken.language.moment(spoken.moment, at, zone=zone)


def clock(spoken: Vocabulary, at: datetime, *, zone: str) -> Value:
    """Say whose clocks `moment` reads."""
    return spoken.language.clock(at, zone=zone)


def grouped_token(token: str) -> Markup:
    """Write a token in fours, to be read out; what is copied has no spaces."""
    fours = (token[start : start + 4] for start in range(0, len(token), 4))
    grouped = Markup("").join(Markup("<span>{}</span>").format(four) for four in fours)
    return _marked(Value(text=grouped, kind=Kind.CODE))
