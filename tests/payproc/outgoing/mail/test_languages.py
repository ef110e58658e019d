import re
import string
from collections.abc import Iterator
from dataclasses import fields

import pytest

from payproc.domain.languages import Language, Locale
from payproc.domain.states import DisputeStatus
from payproc.outgoing.mail.languages import LANGUAGES
from payproc.outgoing.mail.languages.vocabulary import TOLD_TO_CUSTOMERS, Method, Said, Vocabulary
from payproc.outgoing.mail.operators import DISPUTES

ENGLISH, URDU = LANGUAGES[Locale.ENGLISH], LANGUAGES[Locale.URDU]
EACH = pytest.mark.parametrize("words", LANGUAGES.values(), ids=LANGUAGES)


def phrases(words: Vocabulary) -> Iterator[tuple[str, str]]:
    """Every phrase of a language by where it stands."""
    for field in fields(words):
        yield from _phrases(field.name, getattr(words, field.name))


def _phrases(place: str, value: object) -> Iterator[tuple[str, str]]:
    match value:
        case str():
            yield place, value
        case Said() | Method() | Language():
            for field in fields(value):
                yield from _phrases(f"{place}.{field.name}", getattr(value, field.name))
        case dict():
            for key, inner in value.items():
                yield from _phrases(f"{place}.{key}", inner)
        case tuple():
            for number, inner in enumerate(value):
                yield from _phrases(f"{place}.{number}", inner)


def put_in(phrase: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(phrase) if name}


def test_every_locale_has_a_language() -> None:
    assert set(LANGUAGES) == set(Locale)


@EACH
def test_every_kind_that_customers_are_told_has_words(words: Vocabulary) -> None:
    assert set(words.messages) == set(TOLD_TO_CUSTOMERS)
    assert (len(words.language.months), len(words.language.day_parts)) == (12, 24)


def test_no_language_misses_a_phrase() -> None:
    assert dict(phrases(ENGLISH)).keys() == dict(phrases(URDU)).keys()
    assert all(phrase.strip() for words in LANGUAGES.values() for _, phrase in phrases(words))


def test_both_languages_put_in_the_same_values() -> None:
    urdu = dict(phrases(URDU))
    for place, phrase in phrases(ENGLISH):
        if place != "moment":  # one clock has 24 hours, the other says which part of the day it is
            assert put_in(phrase) == put_in(urdu[place]), place


def test_urdu_is_written_in_urdu() -> None:
    plain = {"language.locale", "language.direction"}
    for place, phrase in phrases(URDU):
        if place not in plain:
            assert not re.search("[A-Za-z]", re.sub("{.*?}", "", phrase)), place
            # Arabic's kaf and yeh look the same to the eye, and to no search.
            assert not re.search("[كي٠-٩]", phrase), place


def test_every_status_of_a_dispute_can_be_told() -> None:
    assert set(DISPUTES) == set(DisputeStatus)
