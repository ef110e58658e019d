"""An order is paid from its link, by its customer, in a browser."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from payproc.application import Application
from payproc.bootstrap import settings_type
from payproc.database.models import Order, OrderStatus, User
from payproc.domain.payment_methods import PaymentMethod
from payproc.domain.requests.order import Item
from payproc.providers import registry
from payproc.providers.easy_paisa import EASY_PAISA
from payproc.providers.jazz_cash import JAZZ_CASH
from payproc.providers.stripe import STRIPE
from payproc.records import orders
from sandbox.gateway import start_gateway
from tests.e2e.browser.orders import Till, opened
from tests.e2e.browser.shop import Front
from tests.e2e.browser.watch import OpenPage, Watch
from tests.support.wallet_world import APPROVED, DECLINED, NEVER, TIMES, WalletWorld, gateway_config, wallet_settings
from web.app import create_app
from web.pay.languages import LANGUAGES
from web.pay.order_state import OrderPageState
from web.pay.state import PageState

OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
SHOWN = "Rs 1,250.50"


@pytest.fixture
def till(app: Application, front: Front, customer: User, watch: Watch) -> Iterator[Till]:
    gateway = start_gateway(gateway_config(front.url, times=TIMES))
    # The simulators' own pages are no concern of this test.
    watch.forgive("^request: ")
    told = wallet_settings(app.settings, gateway.base_url, front.url) | {
        "stripe_api_base": gateway.base_url,
        "redirect_hosts": ["127.0.0.1", "localhost"],
        "jazz_cash_dialect": "mwallet-2.0",
        "easy_paisa_dialect": "hosted",
    }
    settings = settings_type()(**told)
    connected = replace(app, settings=settings, providers=registry.build(settings))
    front.app = web = create_app(connected)
    yield opened(WalletWorld(app=connected, gateway=gateway, customer=customer, front=front), web)  # type: ignore[arg-type]  # a front is a front
    gateway.stop()


def heading(page: Page, text: str) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(text)


def order_heading(page: Page, language: str, state: OrderPageState, **actor: str) -> None:
    heading(page, LANGUAGES[language].order.states[state].heading.format(**actor))


def pay_by_card(page: Page, till: Till, order: Order, language: str) -> None:
    page.get_by_role("button", name=LANGUAGES[language].wallets[STRIPE].label).click()
    heading(page, LANGUAGES[language].states[PageState.PREPARING].heading)
    payment = till.begun(order)
    page.get_by_role("link", name=LANGUAGES[language].open_page).click()
    page.get_by_role("button", name=re.compile("^Pay")).first.click()
    till.heard(payment)


def pay_by_push(page: Page, till: Till, order: Order, language: str, *, phone: str = APPROVED) -> None:
    words = LANGUAGES[language]
    wallet = words.wallets[JAZZ_CASH]
    page.locator("summary", has_text=wallet.label).click()
    page.get_by_label(words.order.phone_label.format(actor=wallet.actor)).fill(phone)
    page.get_by_label(words.order.cnic_label).fill("345678")
    page.get_by_role("button", name=SHOWN).click()
    heading(page, words.states[PageState.PUSH].heading)
    till.begun(order)


def pay_by_form(page: Page, till: Till, order: Order, language: str) -> None:
    page.get_by_role("button", name=LANGUAGES[language].wallets[EASY_PAISA].label).click()
    # The form posts itself, and so does the second one of this wallet's.
    page.get_by_role("button", name=re.compile("Approve", re.IGNORECASE)).click()
    actor = LANGUAGES[language].wallets[EASY_PAISA].actor
    heading(page, LANGUAGES[language].states[PageState.RETURNED].heading.format(actor=actor))
    till.heard(till.payments(order)[-1])


PAYING = {STRIPE: pay_by_card, JAZZ_CASH: pay_by_push, EASY_PAISA: pay_by_form}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("method", PAYING)
def test_an_order_is_paid_from_its_link(page: Page, till: Till, method: PaymentMethod, language: str) -> None:
    order = till.order()
    page.goto(till.link(order, language))
    order_heading(page, language, OrderPageState.CHOOSE)
    PAYING[method](page, till, order, language)

    page.goto(till.link(order))
    order_heading(page, language, OrderPageState.PAID)
    [payment] = till.payments(order)
    assert payment.payment_method == method
    with till.world.app.database.transaction() as session:
        paid = session.get_one(Order, order.id)
        assert paid.status is OrderStatus.PAID
        assert paid.opened_at is not None


def test_a_decline_is_followed_by_another_method(page: Page, till: Till) -> None:
    order = till.order()
    page.goto(till.link(order))
    pay_by_push(page, till, order, "en", phone=DECLINED)
    heading(page, "The payment did not go through")

    page.get_by_role("link", name="Pay in another way").click()
    heading(page, "How would you like to pay?")
    pay_by_card(page, till, order, "en")
    assert [payment.status for payment in till.payments(order)] == ["failed", "completed"]
    page.goto(till.link(order))
    heading(page, "Payment received")


def test_a_change_of_mind_calls_the_card_off_and_then_offers_the_choice(page: Page, till: Till) -> None:
    order = till.order()
    page.goto(till.link(order))
    page.get_by_role("button", name="Card").click()
    heading(page, "One moment…")
    card = till.begun(order)
    heading(page, "Go on to the payment page")
    page.get_by_role("link", name="Pay in another way").click()
    heading(page, "You have begun to pay")
    page.get_by_role("button", name="Cancel it and choose another way").click()
    heading(page, "Cancelling that payment…")
    expect(page.get_by_role("button")).to_have_count(0)

    till.world.drain()
    # Without a reload, when it has really been called off.
    heading(page, "How would you like to pay?")
    assert till.world.status(card.id) == "cancelled"
    pay_by_push(page, till, order, "en")
    heading(page, "Payment received")
    assert [payment.status for payment in till.payments(order)] == ["cancelled", "completed"]


def test_what_is_paid_while_it_is_called_off_is_not_paid_again(page: Page, till: Till) -> None:
    order = till.order()
    page.goto(till.link(order))
    page.get_by_role("button", name="Card").click()
    heading(page, "One moment…")
    card = till.begun(order)
    page.goto(till.link(order))
    till.world.act(till.world.payment(card.id), "pay")
    page.get_by_role("button", name="Cancel it and choose another way").click()
    till.world.drain()
    heading(page, "Payment received")
    assert len(till.payments(order)) == 1


def test_two_presses_are_one_payment(page: Page, till: Till) -> None:
    order = till.order()
    page.goto(till.link(order))
    page.get_by_role("button", name="Card").dblclick()
    heading(page, "One moment…")
    page.go_back()
    heading(page, "You have begun to pay")
    assert len(till.payments(order)) == 1


def test_a_phone_that_rings_is_waited_for(page: Page, till: Till) -> None:
    order = till.order(methods=[JAZZ_CASH])
    page.goto(till.link(order))
    words = LANGUAGES["en"]
    # Where there is one way, its fields are there at once.
    page.get_by_label("Mobile number of your JazzCash account").fill(NEVER)
    page.get_by_label(words.order.cnic_label).fill("345678")
    page.get_by_role("button", name=SHOWN).click()
    heading(page, words.states[PageState.PUSH].heading)
    page.goto(till.link(order))
    heading(page, "A payment is on its way")
    expect(page.get_by_text("It ends by itself by")).to_be_visible()
    expect(page.get_by_role("button")).to_have_count(0)


def test_a_wrong_number_is_told_beside_its_field(page: Page, till: Till, watch: Watch) -> None:
    watch.forgive("422")
    order = till.order()
    page.goto(till.link(order))
    page.locator("summary", has_text="JazzCash").click()
    field = page.get_by_label("Mobile number of your JazzCash account")
    field.fill("042 111 222")
    page.get_by_label("Last six digits of your CNIC").fill("345678")
    page.get_by_role("button", name=SHOWN).click()

    expect(field).to_be_visible()
    expect(field).to_have_value("042 111 222")
    expect(field).to_be_focused()
    expect(field).to_have_accessible_description(re.compile("This is not a Pakistani mobile number"))
    expect(page.get_by_label("Last six digits of your CNIC")).to_have_value("")
    field.fill(APPROVED)
    page.get_by_label("Last six digits of your CNIC").fill("345678")
    page.get_by_role("button", name=SHOWN).click()
    heading(page, "Approve it on your phone")


def test_an_order_is_paid_without_javascript(open_page: OpenPage, till: Till) -> None:
    page = open_page(java_script_enabled=False)
    order = till.order(phone=APPROVED)
    page.goto(till.link(order))
    expect(page.get_by_label("Mobile number of your JazzCash account")).to_be_hidden()
    page.locator("summary", has_text="JazzCash").click()
    expect(page.get_by_text("Leave this empty to use 0300****001.")).to_be_visible()
    page.get_by_label("Last six digits of your CNIC").fill("345678")
    page.get_by_role("button", name=SHOWN).click()
    till.begun(order)
    # The page fetches itself again.
    heading(page, "Payment received")


def test_one_way_is_open_at_a_time(page: Page, till: Till) -> None:
    page.goto(till.link(till.order(methods=[JAZZ_CASH, STRIPE])))
    summary = page.locator("summary")
    summary.click()
    expect(page.get_by_label("Last six digits of your CNIC")).to_be_visible()
    summary.click()
    expect(page.get_by_label("Last six digits of your CNIC")).to_be_hidden()


def test_a_link_whose_time_is_over_says_so_without_a_reload(page: Page, till: Till) -> None:
    order = till.order(expires_at=datetime.now(UTC) + timedelta(hours=1))
    page.clock.install()
    page.goto(till.link(order))
    heading(page, "How would you like to pay?")
    with till.world.app.database.transaction() as session:
        orders.expire(session, order.id)
    page.clock.run_for(11_000)
    heading(page, "The time to pay is over")
    expect(page.get_by_role("button")).to_have_count(0)


def states_of(till: Till) -> Iterator[tuple[str, Order]]:
    """An order for each page that is not met on the way to a payment."""
    items = [Item(name="Chaunsa, 5 kg", quantity=2, amount_minor=60000), Item(name="آم کا اچار", amount_minor=5050)]
    long = "Chaunsa mangoes of this summer, hand picked, in crates of five kilograms. " * 5
    week = datetime.now(UTC) + timedelta(days=7)
    yield "choose", till.order(reference="A-1", items=items, expires_at=week, phone=APPROVED, description=long)
    yield "one", till.order(reference="W" * 90, methods=[JAZZ_CASH], description="")
    closed = till.order(reference="A-3")
    with till.world.app.database.transaction() as session:
        orders.close(session, closed.id)
    yield "closed", closed


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_axe_finds_nothing_and_nothing_scrolls_sideways(
    open_page: OpenPage, till: Till, language: str, scheme: str, width: int
) -> None:
    page = open_page(color_scheme=scheme, viewport={"width": width, "height": 740}, reduced_motion="reduce")
    for name, order in states_of(till):
        page.goto(till.link(order, language))
        if name == "choose":
            page.locator("summary").click()
        assert page.evaluate(OVERFLOW) == 0, name
        found = Axe().run(page)
        assert [each["id"] for each in found.response["violations"]] == [], found.generate_report()
