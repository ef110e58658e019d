"""A mail before it is text or HTML."""

from dataclasses import dataclass

from payproc.domain.languages import Language
from payproc.domain.phrases import Part, Phrase


@dataclass(frozen=True, kw_only=True)
class Row:
    """One thing named and told."""

    label: str
    value: Part


@dataclass(frozen=True, kw_only=True)
class Section:
    """A list below the rows."""

    heading: str
    items: tuple[Phrase, ...]


@dataclass(frozen=True, kw_only=True)
class Message:
    """What one mail says, in one language. `figure` is what its reader looks for first."""

    language: Language
    subject: Phrase
    heading: str
    figure: Part
    lines: tuple[Phrase, ...]
    rows: tuple[Row, ...] = ()
    sections: tuple[Section, ...] = ()
    warning: Phrase | None = None
    closing: Phrase | None = None
