"""The operators' page in a browser: signed in by its own question, without scripts, narrow, and in the dark."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from payproc.database.models import FindingKind, User
from payproc.providers.answers import Verdict
from payproc.records.identity.users import issue_key
from tests.e2e.browser.month import HOSTILE, seed_month
from tests.e2e.browser.shop import Shop
from tests.e2e.browser.watch import OpenPage
from tests.support.seeding import Seeded

SIZES = {"wide": {"width": 1280, "height": 800}, "slim": {"width": 360, "height": 740}}


@pytest.fixture
def key(shop: Shop, operator: User) -> str:
    with shop.app.database.transaction() as session:
        return issue_key(session, operator)


@pytest.fixture
def look(open_page: OpenPage, shop: Shop, key: str) -> Any:
    """Open the page as somebody who has given the key when asked."""

    def opened(**options: Any) -> Page:
        credentials = {"username": "omar", "password": key}
        page = open_page(http_credentials=credentials, java_script_enabled=False, **options)
        page.goto(f"{shop.front.url}/console/reconciliation")
        return page

    return opened


def width_of(page: Page, selector: str) -> float:
    box = page.locator(selector).first.bounding_box()
    assert box is not None
    return box["width"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_a_month_is_shown_without_scripts_at_any_width(look: Any, seeded: Seeded, size: str, scheme: str) -> None:
    seed_month(seeded)
    page = look(viewport=SIZES[size], color_scheme=scheme)
    expect(page.get_by_role("heading", level=1)).to_have_text("Reconciliation")
    # Nothing sticks out, however long a word is.
    html = page.locator("html")
    assert html.evaluate("e => e.scrollWidth") <= SIZES[size]["width"]
    expect(page.get_by_text(HOSTILE)).to_be_visible()

    drawings = page.locator("svg.chart")
    assert [drawing.is_visible() for drawing in drawings.all()] == [size == "wide", size == "slim"]
    expect(page.get_by_role("img")).to_have_accessible_name(
        re.compile("Findings of each of the last 30 days[.] Opened in all: ")
    )
    # Text is as large as it was drawn: the drawing is not shrunk to fit.
    drawn = {"wide": 960, "slim": 320}[size]
    assert width_of(page, f"svg.{size}") >= 0.9 * drawn


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_each_colour_stands_out_from_its_ground(look: Any, seeded: Seeded, scheme: str) -> None:
    seed_month(seeded)
    page = look(viewport=SIZES["wide"], color_scheme=scheme)
    ground = _colour(page, ".sheet", "background-color")
    for mark in ("critical", "look", "note"):
        assert _contrast(_colour(page, f"svg.wide rect.{mark}", "fill"), ground) >= 3, mark
    for words in (".legend li", "svg.wide text", "td.kind", ".tile span"):
        name = "fill" if words.startswith("svg") else "color"
        assert _contrast(_colour(page, words, name), ground) >= 4.5, words


def _colour(page: Page, selector: str, name: str) -> tuple[float, ...]:
    value = page.locator(selector).first.evaluate(f"e => getComputedStyle(e).getPropertyValue('{name}')")
    return tuple(int(part) / 255 for part in value.removeprefix("rgb(").removesuffix(")").split(","))


def _contrast(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """WCAG 2.2's contrast of two colours."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: tuple[float, ...]) -> float:
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_every_day_can_be_read_as_a_table(look: Any, seeded: Seeded) -> None:
    seed_month(seeded)
    page = look(viewport=SIZES["slim"])
    page.get_by_text("Every day as a table").click()
    rows = page.locator("details tbody tr")
    expect(rows).to_have_count(30)
    expect(rows.first).to_be_visible()
    assert page.locator("html").evaluate("e => e.scrollWidth") <= 360


# A head, or the name of an event, of which a word stands on two lines.
BROKEN = """() => [...document.querySelectorAll('thead th, td:not(.free, .code)')].filter((cell) => {
  const walker = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode())
    for (const word of node.data.matchAll(/[^\\s-]+/g)) {
      const range = document.createRange();
      range.setStart(node, word.index);
      range.setEnd(node, word.index + word[0].length);
      if (range.getClientRects().length > 1) return true;
    }
  return false;
}).map((cell) => cell.innerText)"""


@pytest.mark.parametrize("width", [800, 1280])
def test_no_word_of_ours_is_broken(look: Any, shop: Shop, seeded: Seeded, width: int) -> None:
    seed_month(seeded)
    page = look(viewport={"width": width, "height": 800})
    assert page.evaluate(BROKEN) == []
    payment = shop.by_push()
    shop.end(payment, Verdict.PAID)
    page.goto(f"{shop.front.url}/console/payments/{payment.id}")
    expect(page.get_by_text("payment.created")).to_be_visible()
    assert page.evaluate(BROKEN) == []


def test_a_finding_leads_to_its_payment_and_back(look: Any, shop: Shop, seeded: Seeded) -> None:
    payment = shop.by_push()
    seeded.finding(FindingKind.STUCK, opened_at=seeded.now, ours=payment.id, payment_id=payment.id)
    page = look()
    page.get_by_role("link", name="timeline").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(payment.id)
    expect(page.get_by_text("created as pending")).to_be_visible()
    page.get_by_role("link", name="Reconciliation").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Reconciliation")
