"""Sentences with values put in, as text and as markup, each value keeping its own direction.

In Urdu a bare "P7K2… 19.99 USD" is turned around at its spaces and signs. Markup sets values apart with `<bdi>`; text
and subjects do it with Unicode's isolates (UAX #9 §2.4), which every mail reader that knows Urdu follows.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Literal

from markupsafe import Markup, escape

Direction = Literal["ltr", "rtl"]

_LEFT_TO_RIGHT, _OWN_DIRECTION, _END = "\u2066", "\u2068", "\u2069"
# Joiners shape Urdu's words and families of emoji; every other sign that cannot be seen turns text around or worse.
_JOINERS = "\u200c\u200d"


class Kind(Enum):
    """What a value is made of. Words run in the direction of their first letter, all else from left to right."""

    WORDS = auto()
    CODE = auto()
    AMOUNT = auto()


@dataclass(frozen=True, kw_only=True)
class Value:
    """What is put into a sentence."""

    text: str
    kind: Kind


@dataclass(frozen=True, kw_only=True)
class Phrase:
    """A sentence of ours, with names in braces for what is put in."""

    sentence: str
    parts: Mapping[str, "Part"]


Part = Value | Phrase


def phrase(sentence: str, **parts: Part) -> Phrase:
    """Put parts into a sentence."""
    return Phrase(sentence=sentence, parts=parts)


def words(text: str) -> Value:
    """Somebody's own words, in whatever script."""
    return Value(text=text, kind=Kind.WORDS)


def code(text: object) -> Value:
    """Digits and references, from left to right whatever stands around them."""
    return Value(text=str(text), kind=Kind.CODE)


def amount(text: object) -> Value:
    """Money with its currency; broken at its space, a line would end in a number or a sign alone."""
    return Value(text=str(text), kind=Kind.AMOUNT)


def one_line(text: str) -> str:
    """Return somebody's words as one line without signs that cannot be seen.

    A line break would start a header of the writer's choosing, and a bidi control would turn our own words around.
    """
    line = " ".join(text.split())
    if line.isprintable():
        return line
    seen = (letter for letter in line if letter.isprintable() or letter in _JOINERS)
    return " ".join("".join(seen).split())


def shortened(text: str, longest: int) -> str:
    """Return the first words of a line, in `longest` characters at most; a word that is longer itself is cut."""
    if len(text) <= longest:
        return text
    whole, _, _ = text[: longest + 1].rpartition(" ")
    return whole or text[:longest]


def as_text(part: Part, direction: Direction) -> str:
    """Write a part for a subject or a text whose sentences run in `direction`."""
    if isinstance(part, Value):
        return _isolated(part, direction)
    return part.sentence.format(**{name: as_text(inner, direction) for name, inner in part.parts.items()})


def _isolated(value: Value, direction: Direction) -> str:
    plain = one_line(value.text)
    if direction == "ltr" and plain.isascii():
        return plain
    return f"{_OWN_DIRECTION if value.kind is Kind.WORDS else _LEFT_TO_RIGHT}{plain}{_END}"


def as_markup(part: Part, mark: Callable[[Value], Markup]) -> Markup:
    """Write a part as HTML: `mark` sets a value apart, with the looks that mails or pages give it."""
    if isinstance(part, Value):
        return mark(part)
    # Each inner part is markup already: Markup's own `format` would ask that of each, and takes ten times as long.
    inner = {name: as_markup(inner, mark) for name, inner in part.parts.items()}
    return Markup(str.format(escape(part.sentence), **inner))  # noqa: S704 (escaped, all of it)
