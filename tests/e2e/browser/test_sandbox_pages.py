"""The simulators' pages on a telephone: whoever tries a payment there must reach every button."""

import pytest
from playwright.sync_api import Page

from sandbox.gateway import RunningGateway
from tests.e2e.browser.watch import OpenPage, Watch
from tests.support.world import World

# Whether each thing to press, and each text, lies within the screen's width.
OUTSIDE = """() => {
  const shown = [...document.querySelectorAll('a, button, input, td')].filter((e) => e.checkVisibility());
  return shown.filter((e) => {
    const box = e.getBoundingClientRect();
    return box.left < 0 || box.right > document.documentElement.clientWidth;
  }).map((e) => e.innerText || e.name);
}"""
# Columns of a table whose texts touch: a head that ends where the next one begins.
GLUED = """() => [...document.querySelectorAll('tr')].flatMap((row) => {
  const boxes = [...row.cells].map((cell) => {
    const range = document.createRange();
    range.selectNodeContents(cell);
    return range.getBoundingClientRect();
  }).filter((box) => box.width > 0);
  return boxes.slice(1).filter((box, n) => box.left - boxes[n].right < 8).map(() => row.innerText);
})"""


@pytest.fixture
def visited(world: World, watch: Watch) -> RunningGateway:
    """A simulator with a payment that was given back in part and disputed."""
    payment = world.started()
    world.started()
    world.act(payment, "pay")
    world.deliver_all(payment)
    world.drain()
    world.at_stripe(f"payment_intents/{world.payment(payment.id).stripe_payment_intent_id}/dispute", amount=500)
    watch.forgive("^request: ")
    return world.gateway


@pytest.mark.parametrize("path", ["/", "/dashboard", "/wallets", "/mail"])
def test_everything_is_within_reach_on_a_narrow_screen(page: Page, visited: RunningGateway, path: str) -> None:
    page.goto(f"{visited.base_url}{path}")
    assert page.evaluate(OUTSIDE) == []


@pytest.mark.parametrize("path", ["/", "/dashboard"])
def test_columns_stand_apart_on_a_wide_one(open_page: OpenPage, visited: RunningGateway, path: str) -> None:
    page = open_page(viewport={"width": 1280, "height": 800})
    page.goto(f"{visited.base_url}{path}")
    assert page.locator("tr").count() > 1
    assert page.evaluate(GLUED) == []
