"""What somebody with an order's link sees and may do, in every way an order can stand."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from payproc import jobs
from payproc.application import Application
from payproc.database.models import Job, JobState, Order, Payment, Review, ReviewKind, User
from payproc.domain.money import Money
from payproc.domain.payment_methods import PaymentMethod
from payproc.domain.provenance import Provenance, Source
from payproc.domain.requests.customer import CustomerRequest
from payproc.domain.requests.order import Item, OrderRequest
from payproc.errors import SettingsInvalid
from payproc.flows.orders import make_order
from payproc.jobs import Kind
from payproc.providers import registry
from payproc.providers.answers import Outcome, Redirect, StartResult, Verdict
from payproc.providers.easy_paisa import EASY_PAISA
from payproc.providers.jazz_cash import JAZZ_CASH
from payproc.providers.stripe import STRIPE
from payproc.records import orders, outcomes
from payproc.records.identity.customers import named_customer
from payproc.settings import Settings
from tests.support.configuration import settings_of_a_test
from tests.web.client import is_problem
from web.app import create_app
from web.pay import links
from web.pay.languages import LANGUAGES
from web.pay.order_state import OrderPageState

BROWSER = {"Accept": "text/html,application/xhtml+xml", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "none"}
OURS = {"Sec-Fetch-Site": "same-origin"}
HOSTILE = """<script>alert(1)</script>"onload='x'&{{7*7}}"""


@pytest.fixture
def settings(database_url: str) -> Settings:
    return settings_of_a_test(
        database_url,
        allow_guide_dialect=True,
        jazz_cash_dialect="guide",
        jazz_cash_merchant_id="MC00001",
        jazz_cash_password="pw12345678",
        jazz_cash_integrity_salt="TESTSALT01",
        easy_paisa_dialect="rest-v4",
        easy_paisa_store_id="1234",
        easy_paisa_username="shop",
        easy_paisa_password="pw12345678",
        easy_paisa_account_number="987654321",
    )


class Counter:
    """A shop's orders, and the pages of whoever has their links."""

    def __init__(self, app: Application, flask_app: Flask, shop: User) -> None:
        self.app = app
        self.flask_app = flask_app
        self.shop = shop
        self.client = flask_app.test_client()

    def order(self, *, phone: str | None = None, of_nobody: bool = False, **changes: Any) -> Order:
        wanted: dict[str, Any] = {"money": Money.of(125050, "pkr"), "reference": "A-17", "description": "Two mangoes"}
        with self.app.database.transaction() as session:
            named = CustomerRequest(email="amina@example.com", name="Amina Khan", phone=phone)
            payer = self.shop
            if not of_nobody:
                payer = named_customer(session, named, by=self.shop, cipher=self.app.payer_cipher)
            return make_order(self.app, session, OrderRequest(**(wanted | changes)), payer=payer, by=self.shop)

    def path(self, row: Order | Payment) -> str:
        with self.flask_app.app_context():
            return links.path_of(row.id)

    def see(self, row: Order | Payment, query: str = "", **headers: str) -> TestResponse:
        return self.client.get(self.path(row) + query, headers=BROWSER | headers)

    def choose(self, order: Order, method: str, *, headers: dict[str, str] = OURS, **typed: str) -> TestResponse:
        """Press a method's button on the page as it is now."""
        [after] = set(re.findall('name="after" value="([^"]*)"', self.see(order).text)) or {"none"}
        form = {"method": method, "after": after} | typed
        return self.client.post(self.path(order), data=form, headers=headers)

    def chosen(self, order: Order, method: str, **typed: str) -> Payment:
        answer = self.choose(order, method, headers=OURS, **typed)
        assert answer.status_code == 303, answer.text
        payment = self.payments(order)[-1]
        assert answer.headers["Location"] == self.path(payment)
        return payment

    def make_room(self, order: Order) -> None:
        answer = self.client.post(self.path(order) + "/cancel", headers=OURS)
        assert (answer.status_code, answer.headers["Location"]) == (303, self.path(order))

    def payments(self, order: Order) -> list[Payment]:
        with self.app.database.transaction() as session:
            return orders.payments_of(session, session.get_one(Order, order.id))

    def end(self, payment: Payment, verdict: Verdict, **said: Any) -> None:
        if verdict is Verdict.PAID:
            said = {"money": payment.money} | said
        provenance = Provenance(source=Source.POLL, evidence="job_of_a_test")
        with self.app.database.transaction() as session:
            outcomes.apply_outcome(session, payment.id, Outcome(verdict=verdict, **said), provenance=provenance)

    def begin(self, payment: Payment) -> None:
        result = StartResult(next_action=Redirect(url="https://checkout.stripe.com/c/pay/cs_1"), references={})
        with self.app.database.transaction() as session:
            outcomes.record_start(session, payment.id, result, provenance=Provenance(source=Source.API))

    def answered(self, payment: Payment, *, ago: timedelta = timedelta(seconds=3)) -> None:
        """Have the wallet said, so long ago, that nothing was paid, with the next question in an hour."""
        now = datetime.now(UTC)
        inquiry = (Job.subject == payment.id, Job.kind == Kind.INQUIRE_PAYMENT, jobs.READY)
        with self.app.database.transaction() as session:
            session.get_one(Payment, payment.id).polled_at = now - ago
            session.execute(
                update(Job).where(*inquiry).values(payload={"polled": 1}, due_at=now + timedelta(hours=1), attempts=0)
            )

    def inquiries(self, payment: Payment) -> list[datetime]:
        asked = select(Job.due_at).where(Job.subject == payment.id, Job.kind == Kind.INQUIRE_PAYMENT)
        with self.app.database.transaction() as session:
            return list(session.scalars(asked.where(Job.state == JobState.READY)))

    def read(self, order: Order) -> Order:
        with self.app.database.transaction() as session:
            return session.get_one(Order, order.id)


@pytest.fixture
def counter(app: Application, flask_app: Flask, shop: User) -> Counter:
    return Counter(app, flask_app, shop)


def words_on(answer: TestResponse) -> str:
    body = re.sub("(?s)<head>.*</head>", "", answer.text)
    return " ".join(unescape(re.sub("<[^>]*>", "", body)).split())


def state_on(answer: TestResponse) -> str:
    [state] = re.findall(r'id="panel" class="panel order (\w+)"', answer.text)
    return str(state)


def offered(answer: TestResponse) -> list[str]:
    return re.findall('name="method" value="([^"]*)"', answer.text)


def directive(answer: TestResponse, name: str) -> str:
    [found] = re.findall(f"{name} ([^;]*)", answer.headers["Content-Security-Policy"])
    return str(found)


# --- What is shown, and to whom ---------------------------------------------------------------------------------------


def test_the_page_shows_what_is_paid_and_nobody_who_pays(counter: Counter) -> None:
    items = [Item(name="Chaunsa, 5 kg", quantity=2, amount_minor=60000), Item(name="Delivery", amount_minor=5050)]
    order = counter.order(phone="03001234567", items=items)
    page = counter.see(order)

    assert (page.status_code, state_on(page)) == (200, OrderPageState.CHOOSE)
    for shown in ("Rs 1,250.50", "Two mangoes", "A-17", "Chaunsa, 5 kg", "Rs 1,200.00", "Delivery", "Rs 50.50"):
        assert shown in words_on(page)
    for hidden in ("amina@", "Amina", order.user_id, "03001234567", "1234567"):
        assert hidden not in page.text
    assert offered(page) == [STRIPE, JAZZ_CASH, EASY_PAISA]


@pytest.mark.parametrize(
    ("methods", "shown"), [([EASY_PAISA], [EASY_PAISA]), ([STRIPE, JAZZ_CASH], [STRIPE, JAZZ_CASH])]
)
def test_only_the_methods_of_an_order_are_offered(
    counter: Counter, methods: list[PaymentMethod], shown: list[str]
) -> None:
    page = counter.see(counter.order(methods=methods))
    assert offered(page) == shown
    # Where there is nothing to choose, what has to be typed is there at once.
    assert ("<details" in page.text and "open>" in page.text) is (len(methods) == 1)


def test_wallets_are_not_offered_for_dollars(counter: Counter) -> None:
    assert offered(counter.see(counter.order(money=Money.of(1999, "usd")))) == [STRIPE]


def test_an_order_whose_methods_are_set_up_no_more_says_so(counter: Counter, app: Application) -> None:
    order = counter.order(methods=[JAZZ_CASH])
    left = {method: provider for method, provider in app.providers.items() if method != JAZZ_CASH}
    page = create_app(replace(app, providers=left)).test_client().get(counter.path(order), headers=BROWSER)
    assert state_on(page) == OrderPageState.NO_METHOD
    assert "A-17" in words_on(page)


def test_an_order_without_a_description_is_called_by_its_reference(counter: Counter) -> None:
    order = counter.order(description="")
    assert "For" not in words_on(counter.see(order)).split()
    assert counter.chosen(order, STRIPE).description == "A-17"


def test_hostile_words_stay_text(counter: Counter) -> None:
    order = counter.order(description=HOSTILE, reference=HOSTILE, items=[Item(name=HOSTILE)])
    page = counter.see(order)
    assert "<script>alert" not in page.text
    assert page.text.count("<script") == 1
    assert words_on(page).count(HOSTILE) == 3


def test_the_headers_let_the_page_post_to_itself_and_to_nobody_else(counter: Counter) -> None:
    page = counter.see(counter.order())
    assert directive(page, "form-action") == "'self'"
    assert directive(page, "default-src") == "'none'"
    assert directive(page, "img-src") == "'self'"
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["X-Robots-Tag"] == "noindex"
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script>", page.text)


def test_a_preview_of_the_link_says_who_is_paid_and_how_much(app: Application, shop: User) -> None:
    named = replace(app, settings=app.settings.model_copy(update={"merchant_name": "Aam Ghar"}))
    counter = Counter(named, create_app(named), shop)
    order = counter.order()
    page = counter.client.get(counter.path(order), headers={"User-Agent": "WhatsApp/2.23.20.0", "Accept": "text/html"})
    said = dict(re.findall('<meta property="og:([^"]*)" content="([^"]*)">', page.text))
    assert said["title"] == "Aam Ghar · Rs 1,250.50"
    assert said["description"] == "Two mangoes"
    assert said["url"].endswith(counter.path(order))
    assert "Amina" not in page.text
    assert counter.read(order).opened_at is None


def test_a_code_of_its_own_address_is_drawn_for_a_telephone(counter: Counter) -> None:
    order = counter.order()
    page = counter.see(order)
    assert '<svg viewBox="0 0 ' in page.text
    assert 'class="qr"' in page.text
    counter.chosen(order, STRIPE)
    assert 'class="qr"' not in counter.see(order).text


def test_every_sentence_is_said_in_urdu_as_well(counter: Counter) -> None:
    page = counter.see(counter.order(), "?lang=ur")
    assert '<html lang="ur" dir="rtl">' in page.text
    assert LANGUAGES["ur"].order.states[OrderPageState.CHOOSE].heading in words_on(page)


def image(tmp_path: Path, name: str, content: bytes) -> str:
    path = tmp_path / name
    path.write_bytes(content)
    return str(path)


PNG, SVG = b"\x89PNG\r\n\x1a\n" + b"0" * 20, b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


@pytest.mark.parametrize(
    ("name", "content", "kind"), [("logo.png", PNG, "image/png"), ("logo.svg", SVG, "image/svg+xml")]
)
def test_the_merchants_logo_is_served_by_us_and_runs_nothing(
    app: Application, shop: User, tmp_path: Path, name: str, content: bytes, kind: str
) -> None:
    shown = replace(app, settings=app.settings.model_copy(update={"merchant_logo": image(tmp_path, name, content)}))
    counter = Counter(shown, create_app(shown), shop)
    page = counter.see(counter.order())
    [path] = re.findall('<img src="([^"]*)"', page.text)
    served = counter.client.get(path)
    assert (served.data, served.mimetype) == (content, kind)
    assert served.headers["Content-Security-Policy"].endswith("sandbox")
    assert "max-age" in served.headers["Cache-Control"]
    # No messenger shows a drawing.
    assert ("og:image" in page.text) is (kind == "image/png")


@pytest.mark.parametrize("content", [b"<html>", b"", PNG + b"0" * 300_000, None])
def test_a_logo_that_is_none_stops_the_start_and_says_why(
    app: Application, tmp_path: Path, content: bytes | None
) -> None:
    path = image(tmp_path, "logo.png", content) if content is not None else str(tmp_path / "missing.png")
    with pytest.raises(SettingsInvalid, match="MERCHANT_LOGO"):
        create_app(replace(app, settings=app.settings.model_copy(update={"merchant_logo": path})))


def test_without_a_logo_there_is_none(counter: Counter) -> None:
    assert "<img" not in counter.see(counter.order()).text
    assert is_problem(counter.client.get("/pay/assets/merchant-logo"), 404, "no_logo")


# --- When it was opened -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Dest": "empty"},
        {"Sec-Fetch-Dest": ""},
        {"Sec-Purpose": "prefetch;prerender"},
        {"Purpose": "prefetch"},
    ],
)
def test_what_only_looks_ahead_opens_nothing(counter: Counter, headers: dict[str, str]) -> None:
    order = counter.order()
    counter.see(order, **headers)
    counter.client.head(counter.path(order), headers=BROWSER)
    assert counter.read(order).opened_at is None


def test_the_first_browser_that_opens_the_link_is_noted_once(counter: Counter) -> None:
    order = counter.order()
    counter.see(order)
    first = counter.read(order).opened_at
    counter.see(order)
    assert first is not None
    assert counter.read(order).opened_at == first


def test_who_says_nothing_of_the_kind_has_opened_it_when_they_pay(counter: Counter) -> None:
    order = counter.order()
    form = {"method": STRIPE, "after": "none"}
    counter.client.post(counter.path(order), data=form)
    assert counter.read(order).opened_at is not None


# --- Choosing ---------------------------------------------------------------------------------------------------------


def test_a_card_is_begun_by_one_press(counter: Counter) -> None:
    order = counter.order(success_url="https://example.com/thanks?p={PAYMENT_ID}")
    payment = counter.chosen(order, STRIPE)
    assert (payment.order_id, payment.user_id, payment.shop_id) == (order.id, order.user_id, counter.shop.id)
    assert payment.success_url == f"https://example.com/thanks?p={payment.id}"
    # A shop without a page of its own has the order's.
    assert payment.cancel_url == f"http://127.0.0.1:8400{counter.path(order)}"


def test_a_shop_without_pages_has_the_orders(counter: Counter) -> None:
    order = counter.order(of_nobody=True)
    payment = counter.chosen(order, STRIPE)
    assert payment.success_url == f"http://127.0.0.1:8400{counter.path(order)}?returned=1"
    # To the customer that is no shop, so nothing calls it so.
    counter.end(payment, Verdict.PAID)
    assert "Back to the shop" not in counter.see(payment).text
    assert "Back to the shop" not in counter.see(order).text


def test_a_wallet_is_asked_for_what_its_dialect_needs_and_no_more(counter: Counter) -> None:
    page = counter.see(counter.order())
    assert re.findall('<input id="([^"]*)"', page.text) == ["phone-easy_paisa"]


def test_a_wallet_that_wants_to_know_the_cnic_is_told_its_end(app: Application, shop: User) -> None:
    settings = settings_of_a_test(
        app.settings.database_url,
        jazz_cash_dialect="mwallet-2.0",
        jazz_cash_merchant_id="MC00001",
        jazz_cash_password="pw12345678",
        jazz_cash_integrity_salt="TESTSALT01",
    )
    charging = replace(app, settings=settings, providers=registry.build(settings))
    counter = Counter(charging, create_app(charging), shop)
    order = counter.order()
    assert re.findall('<input id="([^"]*)"', counter.see(order).text) == ["phone-jazz_cash", "cnic-jazz_cash"]

    refused = counter.choose(order, JAZZ_CASH, phone="0300 1234567", cnic="12345")
    assert refused.status_code == 422
    assert "Type the last six digits of your CNIC, and digits only." in words_on(refused)
    assert 'value="0300 1234567"' in refused.text
    assert '12345"' not in refused.text

    payment = counter.chosen(order, JAZZ_CASH, phone="0300 1234567", cnic="35201-1234567-1")
    kept = charging.payer_cipher.decrypt(payment.encrypted_payer)
    assert (kept.phone, kept.cnic) == ("03001234567", "345671")


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ({}, "Type the mobile number of your Easypaisa account."),
        ({"phone": "   "}, "Type the mobile number of your Easypaisa account."),
        ({"phone": "042 111 222 333"}, "This is not a Pakistani mobile number."),
        ({"phone": "0300 12345"}, "This is not a Pakistani mobile number."),
        ({"phone": "+1 202 555 0100"}, "This is not a Pakistani mobile number."),
        ({"phone": '"><script>alert(1)'}, "This is not a Pakistani mobile number."),
    ],
)
def test_a_wrong_phone_is_told_beside_its_field_and_kept(
    counter: Counter, typed: dict[str, str], sentence: str
) -> None:
    order = counter.order()
    refused = counter.choose(order, EASY_PAISA, phone=typed.get("phone", ""))
    assert refused.status_code == 422
    assert sentence in words_on(refused)
    assert 'aria-invalid="true"' in refused.text
    assert re.search(r'<details class="choice" name="way"\s+open>', refused.text)
    [kept] = re.findall('name="phone"[^>]* value="([^"]*)"', refused.text)
    assert unescape(kept) == typed.get("phone", "").strip()
    assert "<script>alert" not in refused.text
    assert counter.payments(order) == []


def test_a_number_that_its_shop_knows_is_used_without_being_shown(counter: Counter) -> None:
    order = counter.order(phone="03451234567")
    page = counter.see(order)
    assert "Leave this empty to use 0345****567." in words_on(page)
    assert "03451234567" not in page.text
    payment = counter.chosen(order, EASY_PAISA, phone="")
    assert payment.phone == "0345****567"
    assert counter.app.payer_cipher.decrypt(payment.encrypted_payer).phone == "03451234567"


def test_another_number_than_the_known_one_may_be_typed(counter: Counter) -> None:
    payment = counter.chosen(counter.order(phone="03451234567"), EASY_PAISA, phone="+92 300 7654321")
    assert payment.phone == "0300****321"


@pytest.mark.parametrize("method", ["", "nova_pay", STRIPE])
def test_a_method_that_was_not_offered_is_refused(counter: Counter, method: str) -> None:
    order = counter.order(methods=[EASY_PAISA])
    refused = counter.choose(order, method)
    assert refused.status_code == 422
    assert "This way cannot be used at the moment." in words_on(refused)
    assert counter.payments(order) == []


def test_too_many_requests_to_one_phone_are_told_as_such(app: Application, shop: User) -> None:
    strict = replace(app, settings=app.settings.model_copy(update={"pushes_per_phone": 1}))
    counter = Counter(strict, create_app(strict), shop)
    counter.chosen(counter.order(reference="A-1"), EASY_PAISA, phone="03001234567")
    refused = counter.choose(counter.order(reference="A-2"), EASY_PAISA, phone="03001234567")
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 0
    assert "Too many requests were sent just now." in words_on(refused)


# --- One attempt at a time --------------------------------------------------------------------------------------------


def test_a_second_press_leads_to_the_payment_of_the_first(counter: Counter) -> None:
    order = counter.order()
    form = {"method": STRIPE, "after": "none"}
    pressed = [counter.client.post(counter.path(order), data=form, headers=OURS) for _ in range(2)]
    [payment] = counter.payments(order)
    assert {(answer.status_code, answer.headers["Location"]) for answer in pressed} == {(303, counter.path(payment))}


def test_a_page_of_before_leads_to_what_was_begun_since(counter: Counter) -> None:
    order = counter.order()
    payment = counter.chosen(order, STRIPE)
    counter.end(payment, Verdict.EXPIRED)
    stale = {"method": EASY_PAISA, "after": "none", "phone": "03001234567"}
    answer = counter.client.post(counter.path(order), data=stale, headers=OURS)
    assert answer.headers["Location"] == counter.path(payment)
    assert len(counter.payments(order)) == 1


def test_a_page_that_knows_of_another_payment_than_there_is_is_drawn_anew(counter: Counter) -> None:
    order, other = counter.order(), counter.order(reference="A-18")
    foreign = counter.chosen(other, STRIPE)
    form = {"method": STRIPE, "after": foreign.id}
    answer = counter.client.post(counter.path(order), data=form, headers=OURS)
    assert answer.headers["Location"] == counter.path(order)
    assert counter.payments(order) == []


def test_nothing_else_begins_while_a_payment_may_be_paid(counter: Counter) -> None:
    order = counter.order()
    first = counter.chosen(order, STRIPE)
    form = {"method": EASY_PAISA, "after": first.id, "phone": "03001234567"}
    answer = counter.client.post(counter.path(order), data=form, headers=OURS)
    assert answer.headers["Location"] == counter.path(order)
    assert len(counter.payments(order)) == 1


def test_a_card_payment_is_called_off_before_another_way_is_offered(counter: Counter) -> None:
    order = counter.order()
    payment = counter.chosen(order, STRIPE)
    counter.begin(payment)
    page = counter.see(order)
    assert state_on(page) == OrderPageState.OPEN
    assert offered(page) == []
    assert f'href="{counter.path(payment)}"' in page.text

    counter.make_room(order)
    counter.make_room(order)
    calling = counter.see(order)
    assert state_on(calling) == OrderPageState.CALLING_OFF
    assert 'http-equiv="refresh"' in calling.text
    assert offered(calling) == []
    counter.end(payment, Verdict.CANCELLED)
    again = counter.see(order)
    assert state_on(again) == OrderPageState.CHOOSE
    assert counter.chosen(order, EASY_PAISA, phone="03001234567").id != payment.id


def test_an_order_of_nobody_known_is_called_off_as_well(counter: Counter) -> None:
    order = counter.order(of_nobody=True)
    counter.chosen(order, STRIPE)
    counter.make_room(order)
    assert state_on(counter.see(order)) == OrderPageState.CALLING_OFF


def test_what_was_paid_while_it_was_called_off_is_paid(counter: Counter) -> None:
    order = counter.order()
    payment = counter.chosen(order, STRIPE)
    counter.make_room(order)
    counter.end(payment, Verdict.PAID)
    assert state_on(counter.see(order)) == OrderPageState.PAID


def test_a_phone_that_rings_is_waited_for_until_a_time_that_is_told(counter: Counter) -> None:
    order = counter.order()
    counter.chosen(order, EASY_PAISA, phone="03001234567")
    page = counter.see(order)
    assert state_on(page) == OrderPageState.WAIT
    assert "It ends by itself by" in words_on(page)
    assert "/cancel" not in page.text
    counter.make_room(order)
    assert state_on(counter.see(order)) == OrderPageState.WAIT


def test_a_wallets_page_that_was_left_is_asked_about_and_let_go(counter: Counter) -> None:
    order = counter.order()
    payment = counter.chosen(order, JAZZ_CASH)
    # Its wallet was never asked: when it may be is its schedule's to say.
    assert state_on(counter.see(order)) == OrderPageState.ASKING
    before = counter.inquiries(payment)
    counter.make_room(order)
    assert counter.inquiries(payment) == before

    counter.answered(payment, ago=timedelta(minutes=6))
    assert state_on(counter.see(order)) == OrderPageState.LEFT
    counter.make_room(order)
    assert counter.inquiries(payment)[0] <= datetime.now(UTC) + timedelta(seconds=1)
    assert state_on(counter.see(order)) == OrderPageState.ASKING

    counter.answered(payment)
    page = counter.see(order)
    assert state_on(page) == OrderPageState.CHOOSE_ANOTHER
    assert "So far JazzCash says that nothing was paid." in words_on(page)
    card = counter.chosen(order, STRIPE)
    assert counter.payments(order)[-1].id == card.id

    # The page that was left posts itself no more, from whatever window.
    left = counter.see(payment)
    assert "This payment is set aside" in words_on(left)
    assert 'name="pp_' not in left.text
    assert (counter.client.get(counter.path(payment) + "/status").json or {})["set_aside"] is True


def test_a_question_that_went_unanswered_lets_nothing_go(counter: Counter, app: Application) -> None:
    order = counter.order()
    payment = counter.chosen(order, JAZZ_CASH)
    counter.answered(payment)
    with app.database.transaction() as session:
        session.execute(
            update(Job).where(Job.subject == payment.id, Job.kind == Kind.INQUIRE_PAYMENT).values(attempts=1)
        )
    assert state_on(counter.see(order)) == OrderPageState.ASKING


def test_what_was_let_go_and_left_alone_again_has_its_page_back(counter: Counter) -> None:
    order = counter.order()
    payment = counter.chosen(order, JAZZ_CASH)
    counter.answered(payment)
    counter.end(counter.chosen(order, STRIPE), Verdict.EXPIRED)
    assert 'name="pp_' in counter.see(payment).text


@pytest.mark.parametrize("verdict", [Verdict.DECLINED, Verdict.CANCELLED, Verdict.EXPIRED])
def test_after_a_payment_that_came_to_nothing_another_way_is_offered(counter: Counter, verdict: Verdict) -> None:
    order = counter.order()
    payment = counter.chosen(order, STRIPE)
    counter.end(payment, verdict)
    page = counter.see(payment)
    assert re.search(f'href="{counter.path(order)}">Pay in another way', page.text)
    assert state_on(counter.see(order)) == OrderPageState.CHOOSE


# --- How it ends ------------------------------------------------------------------------------------------------------


def test_a_paid_order_says_thanks_and_where_the_receipt_goes(counter: Counter) -> None:
    order = counter.order(success_url="https://example.com/thanks?p={PAYMENT_ID}")
    payment = counter.chosen(order, EASY_PAISA, phone="03001234567")
    counter.end(payment, Verdict.PAID, receipt="24041")
    page = counter.see(order)
    assert state_on(page) == OrderPageState.PAID
    assert "Receipt number 24041" in words_on(page)
    assert "A receipt goes to a***@example.com." in words_on(page)
    assert "A receipt goes to a***@example.com." in words_on(counter.see(payment))
    assert f'href="https://example.com/thanks?p={payment.id}"' in page.text
    assert offered(page) == []


def test_an_order_of_nobody_known_promises_no_receipt(counter: Counter) -> None:
    order = counter.order(of_nobody=True)
    counter.end(counter.chosen(order, STRIPE), Verdict.PAID)
    page = counter.see(order)
    assert state_on(page) == OrderPageState.PAID
    assert "@" not in words_on(page)


def test_who_comes_back_before_the_news_is_asked_to_wait(counter: Counter) -> None:
    order = counter.order()
    payment = counter.chosen(order, STRIPE)
    counter.begin(payment)
    assert state_on(counter.see(order, "?returned=1")) == OrderPageState.RETURNED
    counter.end(payment, Verdict.PAID)
    assert state_on(counter.see(order, "?returned=1")) == OrderPageState.PAID


def test_an_order_that_was_paid_twice_says_so_and_who_gives_back(counter: Counter, app: Application) -> None:
    order = counter.order()
    first = counter.chosen(order, JAZZ_CASH)
    counter.answered(first)
    second = counter.chosen(order, STRIPE)
    for payment in (second, first):
        counter.end(payment, Verdict.PAID)
    page = counter.see(order)
    assert state_on(page) == OrderPageState.PAID_TWICE
    assert "The shop has been told, and will refund one of them." in words_on(page)
    # Whoever follows either payment reads it there, and is not taken away from it.
    assert "The shop has been told, and will refund one of them." in words_on(counter.see(first))
    assert "data-leaving-in" not in counter.see(first).text
    with app.database.transaction() as session:
        asked = session.scalars(select(Review).where(Review.kind == ReviewKind.PAID_TWICE)).one()
        asked.resolved_at, asked.resolution = datetime.now(UTC), "refunded by hand"
    assert state_on(counter.see(order)) == OrderPageState.PAID


def test_a_refunded_order_says_so(counter: Counter) -> None:
    order = counter.order()
    payment = counter.chosen(order, STRIPE)
    counter.end(payment, Verdict.PAID)
    counter.end(payment, Verdict.REVERSED)
    assert state_on(counter.see(order)) == OrderPageState.REFUNDED


def test_a_payment_that_was_paid_otherwise_lets_nobody_pay_again(counter: Counter) -> None:
    order = counter.order()
    counter.end(counter.chosen(order, STRIPE), Verdict.PAID, money=Money.of(100, "pkr"))
    page = counter.see(order)
    assert state_on(page) == OrderPageState.MISMATCH
    assert offered(page) == []
    assert "/cancel" not in page.text


@pytest.fixture
def over(counter: Counter, app: Application) -> Order:
    order = counter.order(expires_at=datetime.now(UTC) + timedelta(hours=1))
    with app.database.transaction() as session:
        session.get_one(Order, order.id).expires_at = datetime.now(UTC) - timedelta(seconds=1)
    return order


def test_an_order_whose_time_is_over_cannot_be_paid_though_its_job_is_late(counter: Counter, over: Order) -> None:
    page = counter.see(over)
    assert (page.status_code, state_on(page)) == (200, OrderPageState.EXPIRED)
    answer = counter.client.post(counter.path(over), data={"method": STRIPE, "after": "none"}, headers=OURS)
    assert answer.headers["Location"] == counter.path(over)
    assert counter.payments(over) == []


def test_an_order_that_its_shop_closed_says_so_and_sets_its_payment_aside(counter: Counter, app: Application) -> None:
    order = counter.order()
    payment = counter.chosen(order, JAZZ_CASH)
    with app.database.transaction() as session:
        orders.close(session, order.id)
    assert state_on(counter.see(order)) == OrderPageState.CLOSED
    assert "This payment is set aside" in words_on(counter.see(payment))


@pytest.mark.parametrize("paid", [True, False])
def test_some_days_after_its_end_the_link_is_over(counter: Counter, app: Application, *, paid: bool) -> None:
    order = counter.order()
    if paid:
        counter.end(counter.chosen(order, STRIPE), Verdict.PAID)
    else:
        with app.database.transaction() as session:
            orders.close(session, order.id)
    over_soon = replace(app, settings=app.settings.model_copy(update={"pay_link_days": 0}))
    page = create_app(over_soon).test_client().get(counter.path(order), headers=BROWSER)
    assert page.status_code == 404
    assert "We do not know this link" in words_on(page)


def test_an_order_that_nobody_paid_is_shown_for_ever(counter: Counter, app: Application) -> None:
    order = counter.order()
    over_soon = replace(app, settings=app.settings.model_copy(update={"pay_link_days": 0}))
    assert create_app(over_soon).test_client().get(counter.path(order), headers=BROWSER).status_code == 200


# --- What the script asks ---------------------------------------------------------------------------------------------


def test_the_status_is_what_the_page_was_drawn_from_and_tells_no_more(counter: Counter) -> None:
    order = counter.order()
    for _ in range(2):
        said = counter.client.get(counter.path(order) + "/status").json or {}
        assert said.keys() == {"status", "payment_status", "state"}
        known = f"{said['status']} {said['payment_status'] or ''} {said['state']}"
        assert f'data-standing="{known}"' in counter.see(order).text
        counter.end(counter.chosen(order, STRIPE), Verdict.EXPIRED)


# --- Who may post -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://127.0.0.1:8400"},
        {"Origin": "https://evil.example"},
        {"Origin": "https://127.0.0.1:8400.evil.example"},
    ],
)
@pytest.mark.parametrize("what", ["", "/cancel"])
def test_another_site_posts_nothing_here(counter: Counter, headers: dict[str, str], what: str) -> None:
    order = counter.order()
    form = {"method": EASY_PAISA, "after": "none", "phone": "03001234567"}
    answer = counter.client.post(counter.path(order) + what, data=form, headers=headers)
    assert is_problem(answer, 403, "cross_site_post")
    assert counter.payments(order) == []


@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Site": "same-origin"}, {"Origin": "http://127.0.0.1:8400"}, {"Origin": "null"}, {}]
)
def test_our_own_page_posts_from_every_browser(counter: Counter, headers: dict[str, str]) -> None:
    assert counter.choose(counter.order(), STRIPE, headers=headers).status_code == 303


def test_a_payments_link_begins_no_other_payment(counter: Counter) -> None:
    payment = counter.chosen(counter.order(), STRIPE)
    answer = counter.client.post(counter.path(payment), data={"method": STRIPE}, headers=OURS)
    assert is_problem(answer, 404, "pay_link_invalid")
