"""Every mail as a telephone shows it; its picture is left in the test's own directory for people to look at."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from payproc.application import Application
from payproc.database.models import EmailKind, User
from payproc.domain.languages import Locale
from tests.support.mailbox import Mailbox, part

NAMES = {Locale.ENGLISH: "Amina Khan", Locale.URDU: "امینہ خان"}
# What reaches past the edge of the screen, by how far and what it says.
OVERFLOWING = """() => [...document.querySelectorAll('body, body *')]
    .filter(e => e.getBoundingClientRect().right > innerWidth + .5 || e.getBoundingClientRect().left < -.5
                 || e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== 'inline')
    .map(e => `${e.tagName}: ${e.textContent.trim().slice(0, 40)}`)"""
# How far the words of each paragraph stand from the left and the right of it.
SIDES = """() => [...document.querySelectorAll('p')].map(p => {
    const range = document.createRange();
    range.selectNodeContents(p);
    const words = range.getBoundingClientRect(), line = p.getBoundingClientRect();
    return [words.left - line.left, line.right - words.right];
})"""
# Whether the digits of each value run from left to right.
DIGITS = """() => [...document.querySelectorAll('bdi[dir=ltr]')].filter(b => b.firstChild?.length > 1).map(b => {
    const at = (from) => {
        const range = document.createRange();
        range.setStart(b.firstChild, from);
        range.setEnd(b.firstChild, from + 1);
        return range.getBoundingClientRect();
    };
    const [first, second] = [at(0), at(1)];
    return second.top > first.top + 2 || second.left > first.left - .5;
})"""


@pytest.fixture
def telephone(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 360, "height": 740})
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("locale", Locale)
@pytest.mark.parametrize("kind", EmailKind)
def test_a_mail_fits_a_telephone_and_runs_the_right_way(
    telephone: Page, app: Application, customer: User, kind: EmailKind, locale: Locale, tmp_path: Path
) -> None:
    mailbox = Mailbox(app=app, customer=customer)
    mailbox.call_the_customer(locale=locale, full_name=NAMES[locale])
    mailbox.one_of_each()
    message = mailbox.read(kind)
    telephone.set_content(part(message, "html"))
    telephone.screenshot(path=tmp_path / f"{kind}-{locale}.png", full_page=True)

    direction = "rtl" if message["Content-Language"] == "ur" else "ltr"
    assert telephone.evaluate("getComputedStyle(document.body).direction") == direction
    assert telephone.evaluate("document.documentElement.scrollWidth") <= 360
    assert telephone.evaluate(OVERFLOWING) == []
    for left, right in telephone.evaluate(SIDES):
        assert (right if direction == "rtl" else left) < 16
    assert all(telephone.evaluate(DIGITS))
