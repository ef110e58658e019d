"""A shop's own page opens a pay link in a window, and hears how it ended."""

from collections.abc import Iterator

import pytest
from flask import Flask, Response
from playwright.sync_api import Page, expect

from payproc.application import Application
from payproc.database.models import Order, User
from payproc.domain.money import Money
from payproc.domain.requests.order import OrderRequest
from payproc.flows.orders import make_order
from payproc.records import orders
from tests.e2e.browser.shop import Shop, served
from tests.e2e.browser.watch import Watch
from tests.support.databases import ROOT
from web.pay import links

SCRIPT = ROOT / "clients" / "js" / "payproc.js"
PAGE = """<!doctype html><meta charset="utf-8"><title>A shop</title><link rel="icon" href="data:,">
<script src="/payproc.js"></script><button>Pay</button><p id="end"></p>
<script>
  document.querySelector("button").onclick = async () => {
    const end = await payproc.open(new URLSearchParams(location.search).get("pay"));
    document.getElementById("end").textContent = end.status;
  };
</script>"""


@pytest.fixture
def storefront(watch: Watch) -> Iterator[str]:
    """A page of another site's, with the script that a shop copies."""
    pages = Flask("storefront")
    pages.add_url_rule("/", view_func=lambda: PAGE)
    script = SCRIPT.read_text(encoding="utf-8")
    pages.add_url_rule("/payproc.js", "script", lambda: Response(script, content_type="text/javascript"))
    with served(pages, name="localhost") as url:
        watch.ours.add(url.partition("//")[2])
        yield url


@pytest.fixture
def order(app: Application, shop: Shop) -> Order:
    wanted = OrderRequest(money=Money.of(125050, "pkr"), reference="A-17", description="Two mangoes")
    payer: User = shop.customer
    with app.database.transaction() as session:
        return make_order(app, session, wanted, payer=payer, by=None)


def link(shop: Shop, order: Order) -> str:
    assert isinstance(shop.front.app, Flask)
    with shop.front.app.app_context():
        return links.url_of(order.id)


def test_the_page_hears_how_its_order_ended_and_closes_the_window(
    app: Application, shop: Shop, order: Order, storefront: str, page: Page
) -> None:
    page.goto(f"{storefront}/?pay={link(shop, order)}")
    with page.context.expect_page() as opening:
        page.get_by_role("button").click()
    window = opening.value
    expect(window.get_by_text("Rs 1,250.50").first).to_be_visible()
    expect(page.locator("#end")).to_have_text("")
    with app.database.transaction() as session:
        orders.close(session, order.id)
    expect(page.locator("#end")).to_have_text("closed")
    window.wait_for_event("close") if not window.is_closed() else None


def test_a_window_that_is_closed_before_is_told_as_left(shop: Shop, order: Order, storefront: str, page: Page) -> None:
    page.goto(f"{storefront}/?pay={link(shop, order)}")
    with page.context.expect_page() as opening:
        page.get_by_role("button").click()
    opening.value.close()
    expect(page.locator("#end")).to_have_text("left")


def test_the_script_is_small_and_holds_no_key() -> None:
    script = SCRIPT.read_bytes()
    assert len(script) < 5_000
    assert b"pp_" not in script
    assert b"Authorization" not in script
