import re
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from payproc.database.models import Job, Payment
from payproc.domain.money import Money
from payproc.flows import checkout
from payproc.jobs import Kind
from payproc.providers.answers import AwaitCustomer, Redirect, Verdict
from payproc.providers.stripe import STRIPE
from tests.e2e.browser.shop import Shop
from tests.e2e.browser.watch import OpenPage, Watch

ITS_OWN_PAGE = re.compile("/its-own-page$")


def heading(page: Page, text: str) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(text)


def form_of(shop: Shop, payment: Payment) -> dict[str, list[str]]:
    with shop.app.database.transaction() as session:
        drawn = checkout.payment_form(shop.app, session.get_one(Payment, payment.id), shop.customer)
    return {name: [value] for name, value in drawn.fields.items()}


# --- The form ---------------------------------------------------------------------------------------------------------


def test_the_form_is_posted_once_by_itself_with_exactly_its_fields(page: Page, shop: Shop) -> None:
    payment = shop.by_form(description='Mangoes & "more" <b>آم</b>')
    page.goto(shop.link(payment))

    expect(page).to_have_url(ITS_OWN_PAGE)
    wanted = form_of(shop, payment)
    assert shop.wallet.forms == [wanted]
    assert shop.wallet.orders == [",".join(wanted)]


def test_without_javascript_the_button_posts_the_form(open_page: OpenPage, shop: Shop) -> None:
    page = open_page(java_script_enabled=False)
    payment = shop.by_form()
    page.goto(shop.link(payment))
    heading(page, "Pay with JazzCash")
    assert shop.wallet.forms == []
    # Nothing may take the page from under somebody who is about to press its button.
    assert page.locator("meta[http-equiv]").count() == 0

    page.get_by_role("button", name="Continue to JazzCash").click()
    expect(page).to_have_url(ITS_OWN_PAGE)
    assert shop.wallet.forms == [form_of(shop, payment)]


def test_back_does_not_post_again_and_follows_the_payment(page: Page, shop: Shop) -> None:
    payment = shop.by_form()
    page.goto(shop.link(payment))
    expect(page).to_have_url(ITS_OWN_PAGE)

    page.go_back()
    heading(page, "Not finished yet")
    expect(page.get_by_role("button", name="Continue to JazzCash")).to_be_visible()
    shop.end(payment, Verdict.PAID)
    heading(page, "Payment received")
    assert len(shop.wallet.forms) == 1


def test_a_reload_does_not_post_again_and_the_button_does(page: Page, shop: Shop) -> None:
    page.goto(shop.link(shop.by_form()))
    expect(page).to_have_url(ITS_OWN_PAGE)
    page.go_back()
    heading(page, "Not finished yet")

    page.reload()
    heading(page, "Not finished yet")
    assert len(shop.wallet.forms) == 1
    page.get_by_role("button", name="Continue to JazzCash").click()
    expect(page).to_have_url(ITS_OWN_PAGE)
    assert len(shop.wallet.forms) == 2


def test_a_wallet_that_sends_the_browser_straight_back_is_waited_for(page: Page, shop: Shop) -> None:
    payment = shop.by_form()
    shop.wallet.sends_on_to = f"{shop.front.url}/api/v1/payments/jazz-cash/return?pp_txn_id={payment.reference}"
    page.goto(shop.link(payment))

    heading(page, "Waiting for JazzCash to confirm")
    expect(page.get_by_role("button", name="Open JazzCash again")).to_be_visible()
    expect(page.get_by_role("button", name="Continue to JazzCash")).to_be_hidden()
    assert len(shop.wallet.forms) == 1
    shop.end(payment, Verdict.PAID)
    heading(page, "Payment received")


def test_only_the_browser_that_began_is_led_back_to_its_payment(page: Page, shop: Shop) -> None:
    payment = shop.by_form()
    page.goto(shop.link(payment))
    expect(page).to_have_url(ITS_OWN_PAGE)
    posted_from_the_wallet = """address => {
        const form = Object.assign(document.createElement('form'), {method: 'post', action: address})
        document.body.append(form)
        form.submit()
    }"""
    back = f"{shop.front.url}/api/v1/payments/jazz-cash/return?pp_txn_id={payment.reference}"
    page.evaluate(posted_from_the_wallet, back)
    heading(page, "Waiting for JazzCash to confirm")

    page.context.clear_cookies()
    page.goto(back)
    heading(page, "You are back from your wallet")
    expect(page.get_by_text("1,250.50")).to_have_count(0)


def test_who_came_back_in_another_tab_is_not_sent_away_again(page: Page, shop: Shop) -> None:
    page.goto(shop.link(shop.by_form()) + "?returned=1")
    heading(page, "Waiting for JazzCash to confirm")

    page.get_by_role("button", name="Open JazzCash again").focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(ITS_OWN_PAGE)
    assert len(shop.wallet.forms) == 1


def test_where_nothing_can_be_remembered_nothing_is_posted_by_itself(page: Page, shop: Shop) -> None:
    page.add_init_script("Object.defineProperty(window, 'sessionStorage', {get() { throw new Error('blocked') }})")
    page.goto(shop.link(shop.by_form()))
    page.wait_for_load_state("networkidle")
    heading(page, "Pay with JazzCash")
    assert shop.wallet.forms == []

    page.get_by_role("button", name="Continue to JazzCash").click()
    expect(page).to_have_url(ITS_OWN_PAGE)


def test_a_wallet_that_redirects_elsewhere_leaves_the_customer_with_a_button(
    page: Page, shop: Shop, watch: Watch
) -> None:
    watch.forgive("Content Security Policy")
    watch.forgive("request: http://elsewhere.example")
    shop.wallet.sends_on_to = "http://elsewhere.example/pay"
    page.goto(shop.link(shop.by_form()))

    heading(page, "Not finished yet")
    assert len(shop.wallet.forms) == 1
    expect(page.get_by_role("button", name="Continue to JazzCash")).to_be_enabled()


def test_the_page_between_two_of_the_wallets_goes_on_by_itself_once(page: Page, shop: Shop) -> None:
    payment = shop.by_push()
    shop.wallet.sends_on_to = f"{shop.front.url}/api/v1/payments/easy-paisa/return?orderRefNumber={payment.reference}"
    page.goto(shop.link(payment))
    page.goto(f"{shop.front.url}/api/v1/payments/easy-paisa/return?auth_token=T0k+en/9==")

    heading(page, "Approve it on your phone")
    assert shop.wallet.orders == ["auth_token,postBackURL"]
    assert shop.wallet.forms[0]["auth_token"] == ["T0k+en/9=="]
    page.go_back()
    heading(page, "One more step")
    expect(page.get_by_role("button", name="Continue to Easypaisa")).to_be_visible()
    assert len(shop.wallet.forms) == 1


# --- What becomes of it -----------------------------------------------------------------------------------------------


def test_a_push_that_is_approved_moves_the_page_to_success_without_a_reload(page: Page, shop: Shop) -> None:
    payment = shop.by_push()
    page.goto(shop.link(payment))
    heading(page, "Approve it on your phone")
    expect(page.locator("#panel")).to_contain_text("0300****567")
    page.evaluate("window.untouched = true")

    shop.begin(payment, AwaitCustomer())
    shop.end(payment, Verdict.PAID, receipt="240418718258")
    heading(page, "Payment received")
    expect(page.locator("#panel")).to_contain_text("240418718258")
    expect(page).to_have_title("Payment received · Rs 1,250.50")
    expect(page.locator("#news")).to_contain_text("Payment received")
    assert page.evaluate("window.untouched") is True


def test_a_decline_is_told_without_a_reload_and_without_blame(page: Page, shop: Shop) -> None:
    payment = shop.by_push()
    page.goto(shop.link(payment))
    heading(page, "Approve it on your phone")

    shop.end(payment, Verdict.DECLINED, failure_code="0013")
    heading(page, "The payment did not go through")
    expect(page.locator("#panel")).to_contain_text("There was not enough money in the account. Nothing was charged.")
    page.get_by_role("link", name="Back to the shop to try again").click()
    expect(page).to_have_url(f"{shop.wallet.url}/basket")


def test_a_failed_payment_that_is_paid_after_all_becomes_a_success(page: Page, shop: Shop) -> None:
    # With a way back to the shop the page could take it within the time that is let go by below.
    payment = shop.by_push(success_url=None)
    shop.end(payment, Verdict.DECLINED, failure_code="FAILED")
    page.clock.install()
    page.goto(shop.link(payment))
    heading(page, "The payment did not go through")

    shop.end(payment, Verdict.PAID)
    page.clock.run_for(11_000)
    heading(page, "Payment received")


def test_a_payment_that_is_paid_otherwise_is_told_without_a_reload(page: Page, shop: Shop) -> None:
    payment = shop.by_push()
    page.goto(shop.link(payment))
    heading(page, "Approve it on your phone")
    shop.end(payment, Verdict.PAID, money=Money.of(100, "pkr"))
    heading(page, "The shop has to look at this payment")
    expect(page.get_by_text(payment.reference).first).to_be_visible()


def test_a_phone_that_has_stopped_ringing_is_not_waited_for(page: Page, shop: Shop) -> None:
    payment = shop.by_push()
    page.clock.install()
    page.goto(shop.link(payment))
    heading(page, "Approve it on your phone")

    shop.age(payment, timedelta(minutes=3))
    page.clock.run_for(120_000)
    heading(page, "Waiting for Easypaisa to confirm")


def test_a_token_is_shown_large_and_its_end_in_pakistans_time(page: Page, shop: Shop) -> None:
    page.goto(shop.link(shop.by_token()))
    heading(page, "Pay in cash at a shop")
    expect(page.locator("#panel")).to_contain_text("1 September 2026, 11:59 pm, Pakistan time")
    # What is copied, or read by a screen reader, is the token itself.
    expect(page.locator(".token strong")).to_have_text("84710362")


def test_a_card_payment_leads_to_the_providers_page(page: Page, shop: Shop) -> None:
    payment = shop.take(STRIPE)
    page.goto(shop.link(payment))
    heading(page, "One moment…")
    shop.begin(payment, Redirect(url=f"{shop.wallet.url}/card"))
    heading(page, "Go on to the payment page")
    page.get_by_role("link", name="Open the payment page").click()
    expect(page).to_have_url(f"{shop.wallet.url}/card")


def test_a_lost_connection_is_told_quietly_and_survived(page: Page, shop: Shop, watch: Watch) -> None:
    watch.forgive("ERR_INTERNET_DISCONNECTED")
    payment = shop.by_push()
    page.goto(shop.link(payment))
    heading(page, "Approve it on your phone")
    page.context.set_offline(True)
    expect(page.locator("#trouble")).to_have_text("No connection right now. We keep trying.")

    shop.end(payment, Verdict.PAID)
    page.context.set_offline(False)
    heading(page, "Payment received")
    expect(page.locator("#trouble")).to_be_empty()


def test_without_javascript_the_page_is_fetched_again(open_page: OpenPage, shop: Shop) -> None:
    page = open_page(java_script_enabled=False)
    payment = shop.by_push()
    page.goto(shop.link(payment))
    assert page.locator("meta[http-equiv=refresh]").get_attribute("content") == "10"
    shop.end(payment, Verdict.PAID)
    heading(page, "Payment received")
    assert page.locator("meta[http-equiv=refresh]").count() == 0


# --- The way back -----------------------------------------------------------------------------------------------------


def test_after_five_seconds_the_customer_is_back_in_the_shop(page: Page, shop: Shop) -> None:
    payment = shop.by_push()
    shop.end(payment, Verdict.PAID)
    page.clock.install()
    page.goto(shop.link(payment))
    expect(page.locator(".countdown")).to_have_text(re.compile("Taking you there in 5"))
    page.clock.run_for(2_000)
    expect(page.locator(".countdown")).to_have_text(re.compile("Taking you there in 3"))
    page.clock.run_for(3_000)
    expect(page).to_have_url(f"{shop.wallet.url}/thanks")


def test_the_customer_may_stay(page: Page, shop: Shop) -> None:
    payment = shop.by_push()
    shop.end(payment, Verdict.PAID)
    page.clock.install()
    page.goto(shop.link(payment))
    page.get_by_role("button", name="Stay here").click()
    page.clock.run_for(20_000)
    heading(page, "Payment received")
    expect(page.locator(".countdown")).to_be_hidden()
    expect(page.get_by_role("link", name="Back to the shop")).to_be_focused()


def test_who_comes_back_from_the_shop_is_not_sent_there_again(page: Page, shop: Shop) -> None:
    payment = shop.by_push()
    shop.end(payment, Verdict.PAID)
    page.goto(shop.link(payment))
    page.get_by_role("link", name="Back to the shop").click()
    expect(page).to_have_url(f"{shop.wallet.url}/thanks")
    page.go_back()
    heading(page, "Payment received")
    expect(page.locator(".countdown:visible")).to_have_count(0)


# --- How it looks -----------------------------------------------------------------------------------------------------


def test_urdu_runs_from_right_to_left_and_its_amount_does_not(page: Page, shop: Shop) -> None:
    payment = shop.by_push()
    page.goto(shop.link(payment))
    page.get_by_role("link", name="اردو").click()
    heading(page, "اپنے فون پر منظوری دیں")
    assert page.evaluate("getComputedStyle(document.body).direction") == "rtl"
    assert page.evaluate("getComputedStyle(document.querySelector('.amount bdi')).direction") == "ltr"
    expect(page.locator(".amount bdi")).to_have_text("Rs 1,250.50")

    # The wallet's return says nothing of a language.
    page.goto(shop.link(payment))
    heading(page, "اپنے فون پر منظوری دیں")
    page.get_by_role("link", name="English").click()
    heading(page, "Approve it on your phone")


def test_a_browser_that_speaks_urdu_is_spoken_to_in_urdu(open_page: OpenPage, shop: Shop) -> None:
    page = open_page(locale="ur-PK")
    page.goto(shop.link(shop.by_push()))
    heading(page, "اپنے فون پر منظوری دیں")


def every_state(shop: Shop) -> dict[str, str]:
    """A link for every state that has a payment."""
    made = {
        "push": shop.by_push(),
        "waiting": shop.by_push(),
        "counter": shop.by_token(),
        "preparing": shop.take(STRIPE),
        "redirect": shop.take(STRIPE),
        "processing": shop.take(STRIPE),
        "completed": shop.by_push(),
        "failed": shop.by_push(),
        "doubtful": shop.by_push(),
        "cancelled": shop.by_push(),
        "expired": shop.by_push(),
        "refunded": shop.by_push(),
        "mismatch": shop.by_push(),
    }
    shop.end(made["mismatch"], Verdict.PAID, money=Money.of(100, "pkr"))
    shop.age(made["waiting"], timedelta(minutes=5))
    shop.begin(made["redirect"], Redirect(url=f"{shop.wallet.url}/card"))
    shop.end(made["processing"], Verdict.PROCESSING)
    shop.end(made["completed"], Verdict.PAID, receipt="240418718258")
    shop.end(made["failed"], Verdict.DECLINED, failure_code="0013")
    shop.end(made["doubtful"], Verdict.DECLINED, failure_code="BLOCKED")
    shop.end(made["cancelled"], Verdict.CANCELLED)
    shop.end(made["expired"], Verdict.EXPIRED)
    shop.end(made["refunded"], Verdict.PAID)
    shop.end(made["refunded"], Verdict.REVERSED)
    links = {name: shop.link(payment) for name, payment in made.items()}
    form = shop.by_form(description="Wedding invitation cards, " + "W" * 120)
    messages = {"unknown": f"{shop.front.url}/pay/unknown", "back": f"{shop.front.url}/pay/back/{form.reference}"}
    return links | messages | {"returned": shop.link(form) + "?returned=1"}


OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
# Each text's colours, as they are computed, with the nearest background that is not transparent.
PAIRS = """() => {
  const texts = [...document.querySelectorAll('h1, p, dt, dd, a, button, li, span, strong')];
  return texts.filter((e) => e.checkVisibility() && !e.closest('.unseen') && e.innerText.trim()).map((e) => {
    let behind = e;
    while (behind && getComputedStyle(behind).backgroundColor === 'rgba(0, 0, 0, 0)') behind = behind.parentElement;
    const around = getComputedStyle(behind ?? document.body).backgroundColor;
    return [e.innerText, getComputedStyle(e).color, around];
  });
}"""


def contrast(one: str, other: str) -> float:
    """WCAG's contrast of two computed colours."""

    def luminance(colour: str) -> float:
        channels = [int(channel) / 255 for channel in re.findall(r"[0-9]+", colour)[:3]]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return sum(share * c for share, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("language", ["en", "ur"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_state_fits_a_narrow_screen_and_can_be_read(
    open_page: OpenPage, shop: Shop, watch: Watch, language: str, scheme: str
) -> None:
    watch.forgive("404")
    page = open_page(color_scheme=scheme)
    for name, link in every_state(shop).items():
        page.goto(f"{link}{'&' if '?' in link else '?'}lang={language}")
        assert page.evaluate(OVERFLOW) == 0, name
        pairs = page.evaluate(PAIRS)
        assert len(pairs) > 3, name
        unreadable = [pair for pair in pairs if contrast(*pair[1:]) < 4.5]
        assert unreadable == [], name


@pytest.mark.parametrize("width", [360, 1280])
def test_a_long_description_is_cut_and_leaves_room_for_what_there_is_to_do(
    open_page: OpenPage, shop: Shop, width: int
) -> None:
    page = open_page(viewport={"width": width, "height": 740})
    words = "Chaunsa mangoes of this summer, hand picked, in crates of five kilograms each. " * 6
    page.goto(shop.link(shop.by_push(description=words)))
    height = page.evaluate("document.querySelector('.description').offsetHeight")
    line = page.evaluate("parseFloat(getComputedStyle(document.querySelector('.description')).lineHeight)")
    assert height <= 4 * line + 2
    assert page.evaluate("document.querySelector('h1').getBoundingClientRect().bottom") < 740


def test_calling_off_is_never_posted_by_the_page_itself(page: Page, shop: Shop) -> None:
    payment = shop.take(STRIPE)
    shop.begin(payment, Redirect(url=f"{shop.wallet.url}/card"))
    page.goto(shop.link(payment))
    page.reload()
    heading(page, "Go on to the payment page")
    assert page.evaluate("performance.getEntriesByType('navigation').length") == 1
    with shop.app.database.transaction() as session:
        asked = select(Job.id).where(Job.kind == Kind.CANCEL_PAYMENT)
        assert session.scalar(asked) is None
    page.get_by_role("button", name="Cancel this payment").click()
    expect(page.get_by_text("This payment is being called off.")).to_be_visible()
    with shop.app.database.transaction() as session:
        assert session.scalar(asked) is not None


def test_everything_can_be_reached_with_the_keyboard(page: Page, shop: Shop) -> None:
    page.goto(shop.link(shop.by_form()) + "?returned=1")
    reached = []
    for _ in range(2):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.innerText"))
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert reached == ["اردو", "Open JazzCash again"]


def test_nothing_moves_for_who_asked_for_stillness(open_page: OpenPage, shop: Shop) -> None:
    page = open_page(reduced_motion="reduce")
    page.goto(shop.link(shop.by_push()))
    assert page.evaluate("document.getAnimations().length") == 0
    lively = open_page(reduced_motion="no-preference")
    lively.goto(shop.link(shop.by_push()))
    assert lively.evaluate("document.getAnimations().length") > 0


def test_a_screen_reader_finds_its_way(page: Page, shop: Shop) -> None:
    page.goto(shop.link(shop.by_push()))
    for landmark in ("banner", "main", "contentinfo", "navigation"):
        expect(page.get_by_role(landmark)).to_have_count(1)
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    assert page.evaluate("document.documentElement.lang") == "en"
    expect(page.get_by_role("status")).to_have_count(2)
