"""The page at /docs in a browser: what is sent from it is about the caller's own payments."""

from typing import Any

import pytest
from playwright.sync_api import Page

from payproc.providers.answers import Verdict
from payproc.records.identity.users import issue_key
from tests.e2e.browser.shop import Shop

EXAMPLE = "pay_01kaw5m0v7e1cbb4wsy0s9p6jd"
SEND = """async ([method, path, key, body]) => {
  const headers = { Authorization: `Bearer ${key}`, "Content-Type": "application/json" };
  const answer = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
  return [answer.status, await answer.json()];
}"""


@pytest.fixture
def key(shop: Shop) -> str:
    with shop.app.database.transaction() as session:
        return issue_key(session, shop.customer)


def sent(page: Page, method: str, path: str, key: str, body: Any = None) -> Any:
    return page.evaluate(SEND, [method, f"/api/v1/payments{path}", key, body])


def test_an_examples_id_becomes_the_newest_of_ones_own_that_fits(page: Page, shop: Shop, key: str) -> None:
    paid = shop.by_push()
    shop.end(paid, Verdict.PAID)
    newest = shop.by_form()
    page.goto(f"{shop.front.url}/docs")
    assert page.title() == "payproc API"

    assert sent(page, "GET", f"/{EXAMPLE}", key)[1]["id"] == newest.id
    assert sent(page, "GET", f"/{EXAMPLE}/timeline", key)[1]["payment_id"] == newest.id
    # Only the one that was paid can be given back.
    status, refund = sent(page, "POST", f"/refund/{EXAMPLE}", key, {"amount": "1.00"})
    assert (status, refund["payment_id"], refund["amount_minor"]) == (202, paid.id, 100)
    assert sent(page, "GET", f"/refund/{EXAMPLE.replace('pay', 'ref')}", key)[1]["refund_id"] == refund["refund_id"]
    assert sent(page, "GET", f"/{newest.id}", key)[1]["id"] == newest.id


def test_without_a_payment_of_ones_own_the_example_is_not_there(page: Page, shop: Shop, key: str, watch: Any) -> None:
    watch.forgive("404")
    page.goto(f"{shop.front.url}/docs")
    assert sent(page, "GET", f"/{EXAMPLE}", key)[0] == 404
