"""The body of a delivery as fields: JSON or a browser's form, every value a text or nothing."""

import codecs
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl

from payproc.errors import NoticeMalformed
from payproc.providers.transport import strict_json

Fields = Mapping[str, str | None]

_MOST_FIELDS = 100


def is_json(body: bytes) -> bool:
    """Whether a body is meant as JSON, by its looks: content types are easily wrong, and no form begins so."""
    return body.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"{")


def fields_of(body: bytes) -> Fields:
    """Read a body: one client has seen notifications as forms, where the guide says JSON.

    Raises NoticeMalformed for anything but text or null under names that occur once.
    """
    try:
        # Some servers of this gateway's make put a byte order mark first.
        text = body.decode("utf-8-sig")
        pairs = list(strict_json.parsed_object(text).items()) if is_json(body) else _form_pairs(text)
    except ValueError:
        raise NoticeMalformed("The body is neither a JSON object nor a form.") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        # Which of the two was signed, and which would we act on?
        raise NoticeMalformed("A field occurs twice.")
    if not all(_holdable(name) and (value is None or _holdable(value)) for name, value in pairs):
        raise NoticeMalformed("A field is no text.")
    return fields


def _form_pairs(text: str) -> Sequence[tuple[str, str | None]]:
    return parse_qsl(text, keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=_MOST_FIELDS)


def _holdable(value: object) -> bool:
    # JSON also knows NUL and half a surrogate pair; a database and a hash do not.
    if not isinstance(value, str) or "\0" in value:
        return False
    return not any("\ud800" <= letter <= "\udfff" for letter in value)
