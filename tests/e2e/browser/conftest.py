"""The real front over a real database, a wallet's page that writes down what it was sent, and Chromium."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from payproc.application import Application
from payproc.database.models import User
from payproc.settings import Settings
from tests.e2e.browser.shop import Front, Shop, Wallet, served
from tests.e2e.browser.watch import OpenPage, Watch
from tests.support.configuration import settings_of_a_test
from web.app import create_app

CHROMIUM = "/usr/bin/chromium"
FLAGS = """
    --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
    --disable-component-update --disable-sync
"""
# Whatever the browser wants besides the two servers of a test does not exist.
NOWHERE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1"

# A change is noticed after two seconds at best, and the machine may have other things to do.
expect.set_options(timeout=20_000)


@pytest.fixture
def wallet() -> Iterator[Wallet]:
    made = Wallet()
    # By another name than the front's: to a browser these are two sites.
    with served(made.app(), name="localhost") as made.url:
        yield made


@pytest.fixture
def front() -> Iterator[Front]:
    made = Front()
    with served(made, name="127.0.0.1") as made.url:
        yield made


@pytest.fixture
def settings(database_url: str, wallet: Wallet, front: Front) -> Settings:
    return settings_of_a_test(
        database_url,
        public_base_url=front.url,
        # One customer is shown every state of the page, most of them by a push.
        pushes_per_phone=1000,
        merchant_name="Aam Ghar Mangoes and Dried Fruit of Multan (Private) Limited",
        merchant_contact="help@a-shop-with-a-long-name.example.pk, 042 111 222 333, 9 to 5",
        allow_guide_dialect=True,
        jazz_cash_dialect="guide",
        jazz_cash_merchant_id="MC00001",
        jazz_cash_password="pw12345678",
        jazz_cash_integrity_salt="TESTSALT01",
        jazz_cash_base_url=wallet.url,
        easy_paisa_dialect="rest-v4",
        easy_paisa_store_id="1234",
        easy_paisa_username="shop",
        easy_paisa_password="pw12345678",
        easy_paisa_account_number="987654321",
        easy_paisa_base_url=wallet.url,
    )


@pytest.fixture
def shop(app: Application, wallet: Wallet, front: Front, customer: User) -> Iterator[Shop]:
    front.app = create_app(app)
    yield Shop(app=app, wallet=wallet, front=front, customer=customer)
    front.clear()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # Not for the whole run: Playwright keeps an event loop in this thread for as long as it lives.
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS.split(), NOWHERE])
        yield running
        running.close()


@pytest.fixture
def watch(shop: Shop) -> Watch:
    return Watch(ours={urlsplit(url).netloc for url in (shop.front.url, shop.wallet.url)})


@pytest.fixture
def open_page(browser: Browser, watch: Watch) -> Iterator[OpenPage]:
    """Open a browser window of its own; at the end nothing may have gone wrong in any."""
    contexts: list[BrowserContext] = []

    def opened(**options: Any) -> Page:
        context = browser.new_context(**({"viewport": {"width": 360, "height": 740}, "locale": "en-GB"} | options))
        contexts.append(context)
        watch.over(context)
        return context.new_page()

    yield opened
    for context in contexts:
        context.close()
    watch.check()


@pytest.fixture
def page(open_page: OpenPage) -> Page:
    return open_page()
