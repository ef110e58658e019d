"""Sentences with values put in, as text and as markup, each value keeping its own direction.

In Urdu a bare "P7K2… 19.99 USD" is turned around at its spaces and signs. Markup sets values apart with `<bdi>`; text
and subjects do it with Unicode's isolates (UAX #9 §2.4), which every mail reader that knows Urdu follows.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from markupsafe import Markup, escape

Direction = Literal["ltr", "rtl"]

_LEFT_TO_RIGHT, _OWN_DIRECTION, _END = "\u2066", "\u2068", "\u2069"
# Joiners shape Urdu's words and families of emoji; every other sign that cannot be seen turns text around or worse.
_JOINERS = "\u200c\u200d"

# A Nastaliq has Latin letters as an afterthought, and would make a line of digits as tall as its own.
_LATIN = "font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif;line-height:1.3"


@dataclass(frozen=True, kw_only=True)
class Value:
    """What is put into a sentence; "auto" runs in the direction of its own first letter."""

    text: str
    direction: Literal["ltr", "auto"]


@dataclass(frozen=True, kw_only=True)
class Phrase:
    """A sentence of ours, with names in braces for what is put in."""

    sentence: str
    parts: Mapping[str, "Value | Phrase"] = field(default_factory=dict)


def code(text: object) -> Value:
    """Digits, amounts and references: from left to right, whatever stands around them."""
    return Value(text=str(text), direction="ltr")


def words(text: str) -> Value:
    """Somebody's own words, in whatever script."""
    return Value(text=text, direction="auto")


def alone(value: Value) -> Phrase:
    """Let a value stand by itself."""
    return Phrase(sentence="{value}", parts={"value": value})


def one_line(text: str) -> str:
    """Return somebody's words as one line without signs that cannot be seen.

    A line break would start a header of the writer's choosing, and a bidi control would turn our own words around.
    """
    return "".join(letter for letter in " ".join(text.split()) if letter.isprintable() or letter in _JOINERS)


def as_text(phrase: Phrase, direction: Direction) -> str:
    """Write a phrase for a subject or the text part of a mail whose sentences run in `direction`."""
    parts = {name: _part_as_text(part, direction) for name, part in phrase.parts.items()}
    return phrase.sentence.format(**parts)


def _part_as_text(part: Value | Phrase, direction: Direction) -> str:
    if isinstance(part, Phrase):
        return as_text(part, direction)
    plain = one_line(part.text)
    if direction == "ltr" and plain.isascii():
        return plain
    return f"{_LEFT_TO_RIGHT if part.direction == 'ltr' else _OWN_DIRECTION}{plain}{_END}"


def as_markup(phrase: Phrase) -> Markup:
    """Write a phrase for the HTML part."""
    parts = {name: _part_as_markup(part) for name, part in phrase.parts.items()}
    return escape(phrase.sentence).format(**parts)


def _part_as_markup(part: Value | Phrase) -> Markup:
    if isinstance(part, Phrase):
        return as_markup(part)
    plain = one_line(part.text)
    if part.direction == "ltr":
        # Never broken at its space: an amount would leave its currency on another line.
        plain = plain.replace(" ", "\N{NO-BREAK SPACE}")
    if plain.isascii() or part.direction == "ltr":
        return Markup('<bdi dir="{}" style="{}">{}</bdi>').format(part.direction, _LATIN, plain)
    return Markup('<bdi dir="auto">{}</bdi>').format(plain)
