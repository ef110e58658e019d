import re
import string
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup
from sqlalchemy import select
from werkzeug.test import TestResponse

from payproc import jobs
from payproc.application import Application
from payproc.database.engine import Database
from payproc.database.models import Job, Payment, User
from payproc.domain.languages import Language
from payproc.domain.money import CURRENCIES, Money
from payproc.domain.payment_methods import PaymentMethod
from payproc.domain.provenance import Provenance, Source
from payproc.domain.requests.payment import PaymentRequest
from payproc.domain.states import PaymentStatus
from payproc.flows import checkout
from payproc.jobs import Kind
from payproc.outgoing.decline_reasons import DeclineReason
from payproc.providers.answers import AwaitCustomer, NextAction, Outcome, PostForm, Redirect, StartResult, Verdict
from payproc.providers.easy_paisa import EASY_PAISA
from payproc.providers.jazz_cash import JAZZ_CASH
from payproc.providers.requests import StartMode
from payproc.providers.stripe import STRIPE
from payproc.records import outcomes
from payproc.settings import Settings
from tests.support.configuration import settings_of_a_test
from tests.web.client import is_problem
from web.app import create_app
from web.pay import formatting, links
from web.pay.drawing import forward_page, origin_of
from web.pay.languages import LANGUAGES
from web.pay.languages.vocabulary import OrderWords, Said, Vocabulary, Wallet
from web.pay.order_state import OrderPageState
from web.pay.state import PageState

HOSTILE = """<script>alert(1)</script>"onload='x'&{{7*7}}"""
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
ENGLISH, URDU = LANGUAGES.values()


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


class Till:
    """Takes payments, moves them on, and looks at their pages."""

    def __init__(self, app: Application, flask_app: Flask, customer: User) -> None:
        self.app = app
        self.flask_app = flask_app
        self.customer = customer
        self.client = flask_app.test_client()

    def take(self, method: PaymentMethod, **changes: Any) -> Payment:
        wanted: dict[str, Any] = {
            "money": Money.of(1999, "usd") if method == STRIPE else Money.of(125050, "pkr"),
            "description": "Two mangoes",
            "success_url": "https://example.com/thanks",
            "cancel_url": "https://example.com/basket",
            "phone": None if method == STRIPE else "03001234567",
        }
        request = PaymentRequest(**(wanted | changes))
        return checkout.take_payment(self.app, request, user=self.customer, method=method)

    def begin(self, payment: Payment, action: NextAction, *, expires_at: datetime | None = None) -> Payment:
        result = StartResult(next_action=action, references={}, expires_at=expires_at)
        with self.app.database.transaction() as session:
            outcomes.record_start(session, payment.id, result, provenance=Provenance(source=Source.API))
        return payment

    def end(self, payment: Payment, verdict: Verdict, **said: Any) -> Payment:
        if verdict is Verdict.PAID:
            said = {"money": payment.money} | said
        provenance = Provenance(source=Source.POLL, evidence="job_of_a_test")
        with self.app.database.transaction() as session:
            outcomes.apply_outcome(session, payment.id, Outcome(verdict=verdict, **said), provenance=provenance)
        return payment

    def path(self, payment: Payment) -> str:
        with self.flask_app.app_context():
            return links.path_of(payment.id)

    def see(self, payment: Payment, query: str = "", **headers: str) -> TestResponse:
        return self.client.get(self.path(payment) + query, headers=BROWSER | headers)


@pytest.fixture
def till(app: Application, flask_app: Flask, customer: User) -> Till:
    return Till(app, flask_app, customer)


def words_on(answer: TestResponse) -> str:
    """What a page says, without its markup."""
    return " ".join(unescape(re.sub("<[^>]*>", "", answer.text)).split())


def directives(answer: TestResponse) -> dict[str, list[str]]:
    policy = answer.headers["Content-Security-Policy"]
    return {name: values for name, *values in (part.split() for part in policy.split(";"))}


# --- What is shown, and to whom ---------------------------------------------------------------------------------------


def test_the_page_shows_the_payment_and_nothing_about_its_customer(till: Till, customer: User) -> None:
    payment = till.take(JAZZ_CASH)
    page = till.see(payment)

    assert page.status_code == 200
    for shown in ("Rs 1,250.50", "Two mangoes", "JazzCash", "0300****567", payment.reference):
        assert shown in words_on(page)
    for hidden in (customer.email, customer.full_name, customer.id, payment.id, "03001234567", "1234567"):
        assert hidden not in page.text


def test_only_the_form_holds_what_the_wallet_must_know(till: Till) -> None:
    page = till.see(till.take(JAZZ_CASH))
    outside = re.sub(r'<input type="hidden"[^>]*>', "", page.text)
    assert page.text.count('<input type="hidden"') == 10
    for secret in ("pw12345678", "TESTSALT01", "MC00001"):
        assert secret not in outside
    assert "pw12345678" not in page.text


def test_a_hostile_description_stays_text(till: Till) -> None:
    page = till.see(till.take(JAZZ_CASH, description=HOSTILE))
    assert "<script>alert" not in page.text
    assert page.text.count("<script") == 1
    assert HOSTILE in words_on(page)
    value = re.search(r'name="pp_description" value="([^"]*)"', page.text)
    assert value is not None
    assert unescape(value[1]) == HOSTILE


def test_a_link_that_runs_a_script_is_no_link(till: Till, app: Application) -> None:
    payment = till.begin(till.take(STRIPE), Redirect(url="javascript:alert(1)"))
    assert "javascript:" not in till.see(payment).text
    till.end(payment, Verdict.PAID)
    with app.database.transaction() as session:
        session.get_one(Payment, payment.id).success_url = "javascript:alert(1)"
    page = till.see(payment)
    assert "javascript:" not in page.text
    assert "You can close this page." in words_on(page)


def test_the_headers_let_the_page_do_its_work_and_nothing_else(till: Till) -> None:
    page = till.see(till.take(JAZZ_CASH))
    assert directives(page) == {
        "default-src": ["'none'"],
        "style-src": ["'self'"],
        "script-src": ["'self'"],
        "connect-src": ["'self'"],
        "img-src": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
        "form-action": [
            "'self'",
            "https://sandbox.jazzcash.com.pk",
            "http://127.0.0.1:8400",
            "https://*.jazzcash.com.pk",
        ],
    }
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["X-Frame-Options"] == "DENY"
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["X-Robots-Tag"] == "noindex"
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    # Nothing inline: the policy would refuse it, and the page would be dead.
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script>", page.text)


def test_a_page_without_a_form_lets_nothing_be_posted(till: Till) -> None:
    assert directives(till.see(till.take(EASY_PAISA)))["form-action"] == ["'none'"]


def test_an_address_cannot_add_to_the_policy() -> None:
    assert origin_of("https://user:pw@wallet.example:8443/a?b=c") == "https://wallet.example:8443"


@pytest.mark.parametrize("name", ["pay.css", "pay.js", "icon.svg"])
def test_what_the_page_needs_comes_from_here(till: Till, name: str) -> None:
    page = till.see(till.take(JAZZ_CASH))
    [path] = re.findall(rf'(?:href|src)="([^"]*{re.escape(name)})"', page.text)
    assert path.startswith("/")
    with till.client.get(path) as served:
        assert served.status_code == 200
        named = set(re.findall("https?://[^ \"']*", served.get_data(as_text=True)))
    assert named <= {"http://www.w3.org/2000/svg"}


def test_the_page_between_two_of_the_wallets_may_post_there_and_come_back(flask_app: Flask) -> None:
    form = PostForm(
        url="https://easypay.easypaisa.com.pk/easypay/Confirm.jsf",
        fields={"auth_token": '"><script>'},
        sites=("https://*.easypaisa.com.pk",),
    )
    with flask_app.test_request_context():
        page = forward_page(form, method=EASY_PAISA)
    text = page.get_data(as_text=True)
    assert 'value="&#34;&gt;&lt;script&gt;"' in text
    assert 'action="https://easypay.easypaisa.com.pk/easypay/Confirm.jsf"' in text
    policy = page.headers["Content-Security-Policy"]
    assert policy.endswith(
        "form-action 'self' https://easypay.easypaisa.com.pk http://127.0.0.1:8400 https://*.easypaisa.com.pk"
    )


# --- Links that lead nowhere ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", ["unknown", "InBheSI.forged", "%00", "x" * 3000])
def test_an_unknown_link_is_a_page_for_people_and_a_problem_for_programs(till: Till, token: str) -> None:
    page = till.client.get(f"/pay/{token}", headers=BROWSER)
    assert (page.status_code, page.mimetype) == (404, "text/html")
    assert "We do not know this link" in words_on(page)
    assert directives(page)["form-action"] == ["'none'"]

    for headers in ({}, {"Accept": "*/*"}, {"Accept": "application/json"}, {"Accept": "text/html;q=0, */*"}):
        assert is_problem(till.client.get(f"/pay/{token}", headers=headers), 404, "pay_link_invalid")
    assert is_problem(till.client.get(f"/pay/{token}/status", headers=BROWSER), 404, "pay_link_invalid")


def test_a_link_to_a_payment_that_is_gone_is_unknown(till: Till, flask_app: Flask) -> None:
    with flask_app.app_context():
        path = links.path_of("pay_01kaw5m0v7e1cbb4wsy0s9p6jd")
    assert till.client.get(path, headers=BROWSER).status_code == 404
    assert is_problem(till.client.get(f"{path}/status"), 404, "pay_link_invalid")


def test_where_the_database_is_away_people_are_asked_to_wait(till: Till, app: Application) -> None:
    path = till.path(till.take(JAZZ_CASH))
    client = create_app(replace(app, database=Database("postgresql+psycopg://nobody@127.0.0.1:9/none"))).test_client()
    page = client.get(path, headers=BROWSER)
    assert (page.status_code, page.mimetype) == (503, "text/html")
    assert "Please do not pay a second time meanwhile." in words_on(page)
    assert '<meta http-equiv="refresh" content="10">' in page.text
    assert is_problem(client.get(path), 503, "storage_unavailable")


def test_a_wallet_that_is_not_set_up_any_more_is_no_defect(till: Till, app: Application) -> None:
    payment = till.take(JAZZ_CASH)
    without = {method: provider for method, provider in app.providers.items() if method != JAZZ_CASH}
    client = create_app(replace(app, providers=without)).test_client()
    page = client.get(till.path(payment), headers=BROWSER)
    assert page.status_code == 200
    assert "This payment cannot go on here at the moment" in words_on(page)
    assert payment.reference in words_on(page)


# --- How a payment stands ---------------------------------------------------------------------------------------------


def state_on(page: TestResponse) -> str:
    [state] = re.findall(r'id="panel" class="panel (\w+)"', page.text)
    return str(state)


def refreshes_without_javascript(page: TestResponse) -> bool:
    return '<noscript><meta http-equiv="refresh" content="10"></noscript>' in page.text


def test_a_form_is_never_taken_from_under_its_reader(till: Till) -> None:
    payment = till.take(JAZZ_CASH)
    page = till.see(payment)
    assert state_on(page) == PageState.FORM
    assert not refreshes_without_javascript(page)

    back = till.see(payment, "?returned=1")
    assert state_on(back) == PageState.RETURNED
    assert refreshes_without_javascript(back)
    assert "Waiting for JazzCash to confirm" in words_on(back)
    assert "charged" not in words_on(back)


def test_a_push_rings_as_long_as_the_wallets_call_waits(till: Till, app: Application) -> None:
    payment = till.take(EASY_PAISA)
    assert state_on(till.see(payment)) == PageState.PUSH
    assert refreshes_without_javascript(till.see(payment))
    till.begin(payment, AwaitCustomer())
    assert "0300****567" in words_on(till.see(payment))

    with app.database.transaction() as session:
        session.get_one(Payment, payment.id).created_at = payment.created_at - timedelta(minutes=3)
    assert state_on(till.see(payment)) == PageState.WAITING


@pytest.mark.parametrize("query", ["?lang=en", "?lang=ur"])
def test_the_page_says_who_is_paid_and_where_to_ask(app: Application, customer: User, query: str) -> None:
    merchant = {"merchant_name": f"Aam Ghar {HOSTILE}"[:64], "merchant_contact": "help@shop.pk, 042 111 222 333"}
    named = replace(app, settings=app.settings.model_copy(update=merchant))
    till = Till(named, create_app(named), customer)
    page = till.see(till.take(JAZZ_CASH), query)
    for shown in merchant.values():
        assert " ".join(shown.split()) in words_on(page)
    assert "<script>alert" not in page.text


def test_a_merchant_that_says_nothing_of_itself_is_not_shown(till: Till) -> None:
    page = words_on(till.see(till.take(JAZZ_CASH)))
    assert "Contact" not in page
    assert "None" not in page


def test_a_token_can_be_paid_until_a_time_of_the_merchants_clock(app: Application, customer: User) -> None:
    elsewhere = replace(app, settings=app.settings.model_copy(update={"merchant_time_zone": "Asia/Dubai"}))
    till = Till(elsewhere, create_app(elsewhere), customer)
    until = datetime(2026, 12, 31, 19, 5, tzinfo=UTC)
    payment = till.begin(till.take(EASY_PAISA), AwaitCustomer(token="84710362"), expires_at=until)
    assert "Pay by 31 December 2026, 11:05 pm, UTC+04:00." in words_on(till.see(payment))


def test_a_token_can_be_paid_until_a_time_in_pakistan(till: Till) -> None:
    until = datetime(2026, 12, 31, 19, 5, tzinfo=UTC)
    payment = till.begin(till.take(EASY_PAISA), AwaitCustomer(token="84710362"), expires_at=until)
    assert state_on(till.see(payment)) == PageState.COUNTER
    assert "Pay by 1 January 2027, 12:05 am, Pakistan time." in words_on(till.see(payment))
    assert "1 جنوری 2027، رات 12:05 بجے تک ادا کریں (پاکستان کا وقت)" in words_on(till.see(payment, "?lang=ur"))


def test_a_card_payment_waits_for_its_page_and_then_leads_there(till: Till) -> None:
    payment = till.take(STRIPE)
    assert state_on(till.see(payment)) == PageState.PREPARING
    till.begin(payment, Redirect(url="https://checkout.stripe.com/c/pay/cs_1?a=1&b=2"))
    page = till.see(payment)
    assert state_on(page) == PageState.REDIRECT
    assert 'href="https://checkout.stripe.com/c/pay/cs_1?a=1&amp;b=2"' in page.text
    assert "USD 19.99" in words_on(page)


def test_a_completed_payment_shows_its_receipt_and_the_way_back(till: Till) -> None:
    payment = till.end(till.take(EASY_PAISA, success_url="https://example.com/?a=1&b=2"), Verdict.PAID, receipt="24041")
    page = till.see(payment)
    assert state_on(page) == PageState.COMPLETED
    assert "Receipt number 24041" in words_on(page)
    assert 'href="https://example.com/?a=1&amp;b=2"' in page.text
    assert not refreshes_without_javascript(page)


def test_a_refunded_payment_says_so(till: Till) -> None:
    payment = till.end(till.end(till.take(EASY_PAISA), Verdict.PAID), Verdict.REVERSED)
    assert state_on(till.see(payment)) == PageState.REFUNDED


NOTHING = "Nothing was charged."


@pytest.mark.parametrize(
    ("method", "code", "sentence"),
    [
        (JAZZ_CASH, "004", "There was not enough money in the account."),
        (JAZZ_CASH, "024", "The PIN was not accepted."),
        (JAZZ_CASH, "095", "It was not approved by JazzCash."),
        (EASY_PAISA, "0012", "The payment was not approved in time."),
        (EASY_PAISA, "0026", "The mobile number or the amount was not accepted by Easypaisa."),
        (EASY_PAISA, "FAILED", "It was not approved by Easypaisa."),
        (EASY_PAISA, "no_connection", "There was no connection to Easypaisa."),
        (STRIPE, "insufficient_funds", "There was not enough money in the account."),
        (STRIPE, "lost_card", "It was not approved by your bank."),
    ],
)
def test_a_decline_is_explained_and_took_nothing(till: Till, method: PaymentMethod, code: str, sentence: str) -> None:
    page = till.see(till.end(till.take(method), Verdict.DECLINED, failure_code=code))
    assert f"{sentence} {NOTHING}" in words_on(page)
    assert 'href="https://example.com/basket"' in page.text


@pytest.mark.parametrize(
    ("method", "verdict", "code"),
    [
        (JAZZ_CASH, Verdict.DECLINED, "999"),
        (JAZZ_CASH, Verdict.DECLINED, None),
        (EASY_PAISA, Verdict.DECLINED, "BLOCKED"),
        # The codes of one wallet say nothing about another's.
        (EASY_PAISA, Verdict.DECLINED, "004"),
        # Taken, and gone back.
        (EASY_PAISA, Verdict.REVERSED, None),
        (JAZZ_CASH, Verdict.CANCELLED, "112"),
        (JAZZ_CASH, Verdict.EXPIRED, "129"),
        (EASY_PAISA, Verdict.EXPIRED, None),
        (STRIPE, Verdict.EXPIRED, None),
    ],
)
def test_where_it_is_not_certain_nobody_is_told_that_nothing_was_charged(
    till: Till, method: PaymentMethod, verdict: Verdict, code: str | None
) -> None:
    payment = till.end(till.take(method), verdict, failure_code=code)
    for language in LANGUAGES.values():
        page = words_on(till.see(payment, f"?lang={language.language.locale}"))
        assert language.nothing_charged not in page
        assert payment.reference in page


@pytest.mark.parametrize("verdict", [Verdict.CANCELLED, Verdict.EXPIRED])
def test_what_was_called_off_and_what_ran_out_are_told_apart(till: Till, verdict: Verdict) -> None:
    assert state_on(till.see(till.end(till.take(STRIPE), verdict))) == verdict


def test_the_status_is_what_the_page_was_drawn_from(till: Till) -> None:
    """The script compares the two, and draws the page again where they differ."""
    drawn = [
        till.take(JAZZ_CASH),
        till.take(EASY_PAISA),
        till.begin(till.take(EASY_PAISA), AwaitCustomer(token="84710362")),
        till.end(till.take(EASY_PAISA), Verdict.PAID),
    ]
    for payment in drawn:
        status = till.client.get(till.path(payment) + "/status").json
        assert status is not None
        action = status["next_action"] or {}
        known = " ".join([status["status"], action.get("type") or "", action.get("token") or ""])
        assert f'data-standing="{known.strip()}' in till.see(payment).text


def test_the_status_tells_nothing_else(till: Till) -> None:
    status = till.client.get(till.path(till.take(EASY_PAISA)) + "/status")
    assert status.json == {
        "status": "pending",
        "next_action": None,
        "failure_code": None,
        "mismatch": False,
        "set_aside": False,
    }
    assert status.headers["Cache-Control"] == "no-store"


# --- Ways out of a wait -----------------------------------------------------------------------------------------------


def cancellations(app: Application) -> list[str]:
    with app.database.transaction() as session:
        return list(session.scalars(select(Job.subject).where(Job.kind == Kind.CANCEL_PAYMENT)))


def test_a_card_payment_that_waits_is_called_off_from_its_page(till: Till, app: Application) -> None:
    payment = till.begin(till.take(STRIPE), Redirect(url="https://checkout.stripe.com/c/pay/cs_1"))
    page = till.see(payment)
    assert f'action="{till.path(payment)}/cancel"' in page.text
    assert directives(page)["form-action"] == ["'self'"]
    for _ in range(2):
        pressed = till.client.post(till.path(payment) + "/cancel")
        assert (pressed.status_code, pressed.headers["Location"]) == (303, till.path(payment))
    assert cancellations(app) == [payment.id]
    assert "This payment is being called off." in words_on(till.see(payment))
    assert "Cancel this payment" not in words_on(till.see(payment))


def test_what_has_ended_is_not_called_off_by_a_page_that_was_drawn_before(till: Till, app: Application) -> None:
    payment = till.end(till.take(STRIPE), Verdict.PAID)
    assert till.client.post(till.path(payment) + "/cancel").status_code == 303
    assert cancellations(app) == []
    assert state_on(till.see(payment)) == PageState.COMPLETED


def test_a_wallets_payment_offers_the_shop_and_no_button_that_does_nothing(till: Till, app: Application) -> None:
    payment = till.take(EASY_PAISA)
    page = till.see(payment)
    assert "/cancel" not in page.text
    assert 'href="https://example.com/basket"' in page.text
    assert "The payment goes on without this page. Do not pay again before it has ended." in words_on(page)
    assert till.client.post(till.path(payment) + "/cancel").status_code == 303
    assert cancellations(app) == []


def test_every_wait_leads_back_to_the_shop(till: Till) -> None:
    waiting = {
        PageState.FORM: till.take(JAZZ_CASH),
        PageState.PUSH: till.take(EASY_PAISA),
        PageState.COUNTER: till.begin(till.take(EASY_PAISA), AwaitCustomer(token="84710362")),
        PageState.PREPARING: till.take(STRIPE),
        PageState.REDIRECT: till.begin(till.take(STRIPE), Redirect(url="https://checkout.stripe.com/c/pay/cs_1")),
        PageState.PROCESSING: till.end(till.take(STRIPE), Verdict.PROCESSING),
    }
    for state, payment in waiting.items():
        page = till.see(payment)
        assert state_on(page) == state
        assert 'href="https://example.com/basket"' in page.text, state


def test_who_waits_is_told_when_the_wallet_is_asked_again(till: Till, app: Application) -> None:
    payment = till.take(EASY_PAISA)
    with app.database.transaction() as session:
        session.get_one(Payment, payment.id).created_at = payment.created_at - timedelta(minutes=3)
        due_at = datetime.now(UTC) + timedelta(minutes=4, seconds=30)
        jobs.stage(session, Kind.INQUIRE_PAYMENT, payment.id, method=EASY_PAISA, due_at=due_at)
    page = till.see(payment)
    assert state_on(page) == PageState.WAITING
    assert "We ask Easypaisa again within 5 min." in words_on(page)
    # The words are drawn anew once that is over.
    [changes] = re.findall(r'data-changes-in="([0-9]+)"', page.text)
    assert 265 < int(changes) <= 280


def test_a_payment_that_was_paid_otherwise_says_so_and_asks_for_no_approval(till: Till) -> None:
    payment = till.take(EASY_PAISA)
    assert "Approve it on your phone" in words_on(till.see(payment))
    till.end(payment, Verdict.PAID, money=Money.of(100, "pkr"))
    page = till.see(payment)
    assert state_on(page) == PageState.MISMATCH
    assert "Please do not pay again." in words_on(page)
    assert payment.reference in words_on(page)
    assert "phone" not in words_on(page).partition("Reference")[2]
    # The page that was open before hears of it, too.
    status = till.client.get(till.path(payment) + "/status").json or {}
    assert (status["status"], status["mismatch"]) == ("pending", True)
    assert 'data-standing="pending   mismatch"' in page.text


# --- Languages --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "accepted", "tag"),
    [
        ("", "ur-PK,ur;q=0.9,en;q=0.8", "ur"),
        ("", "en-GB,en;q=0.9,ur;q=0.8", "en"),
        ("", "de", "en"),
        ("", "", "en"),
        ("?lang=ur", "en", "ur"),
        ("?lang=en", "ur", "en"),
        ("?lang=klingon", "ur", "ur"),
        ("?lang=../x", "en", "en"),
    ],
)
def test_the_language_is_the_one_that_was_asked_for(till: Till, query: str, accepted: str, tag: str) -> None:
    page = till.see(till.take(EASY_PAISA), query, **{"Accept-Language": accepted})
    assert f'<html lang="{tag}" dir="{LANGUAGES[tag].language.direction}">' in page.text
    [other] = LANGUAGES.keys() - {tag}
    assert f'<a href="?lang={other}" lang="{other}"' in page.text


def test_a_chosen_language_is_remembered_for_the_way_back(till: Till) -> None:
    payment = till.take(EASY_PAISA)
    assert "payproc_language" not in str(till.see(payment).headers.getlist("Set-Cookie"))
    [chosen] = [
        cookie for cookie in till.see(payment, "?lang=ur").headers.getlist("Set-Cookie") if "language" in cookie
    ]
    assert re.search("payproc_language=ur;.* HttpOnly; Path=/; SameSite=Lax", chosen)
    assert '<html lang="ur"' in till.see(payment).text


def test_the_switch_does_not_forget_that_the_customer_has_been_at_the_wallet(till: Till) -> None:
    assert 'href="?lang=ur&amp;returned=1"' in till.see(till.take(JAZZ_CASH), "?returned=1").text


def texts(words: Vocabulary) -> Iterator[tuple[str, str]]:
    """Every text of a language by where it stands."""
    for field in fields(words):
        yield from _texts(field.name, getattr(words, field.name))


def _texts(name: str, value: object) -> Iterator[tuple[str, str]]:
    match value:
        case str():
            yield name, value
        case Said():
            yield from _texts(f"{name}.heading", value.heading)
            yield from _texts(name, value.lines)
        case Wallet():
            yield f"{name}.label", value.label
            yield f"{name}.actor", value.actor
        case Language() | OrderWords():
            for field in fields(value):
                yield from _texts(f"{name}.{field.name}", getattr(value, field.name))
        case dict():
            for key, under in value.items():
                yield from _texts(f"{name}.{key}", under)
        case tuple():
            for number, under in enumerate(value):
                yield from _texts(f"{name}[{number}]", under)
        case _:
            raise AssertionError(f"{name} is a {type(value)}")


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_both_languages_say_the_same_things() -> None:
    english, urdu = dict(texts(ENGLISH)), dict(texts(URDU))
    assert english.keys() == urdu.keys()
    assert {name: placeholders(text) for name, text in english.items()} == {
        name: placeholders(text) for name, text in urdu.items()
    }
    assert all(text.strip() for text in (*english.values(), *urdu.values()))


@pytest.mark.parametrize("words", LANGUAGES.values(), ids=LANGUAGES)
def test_every_page_state_reason_and_wallet_has_words(words: Vocabulary) -> None:
    assert words.states.keys() == set(PageState)
    assert words.reasons.keys() == set(DeclineReason)
    assert words.order.states.keys() == set(OrderPageState)
    assert words.order.hints.keys() == set(StartMode)
    assert words.wallets.keys() == {JAZZ_CASH, EASY_PAISA, STRIPE}
    assert (len(words.language.months), len(words.language.day_parts)) == (12, 24)


def test_urdu_is_written_in_urdu() -> None:
    latin = {"language.locale", "language.direction"}
    foreign = [name for name, text in texts(URDU) if name not in latin and not re.search("[\u0600-\u06ff]", text)]
    assert foreign == []


def test_every_status_has_a_page_state() -> None:
    assert {status.value for status in PaymentStatus} - {"pending"} <= {state.value for state in PageState}


def test_a_provider_without_a_name_is_a_wallet() -> None:
    assert ENGLISH.wallet(PaymentMethod("nova_pay")).actor == "the wallet"


# --- Amounts and sentences --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("minor", "code", "written"),
    [
        (125050, "pkr", "Rs 1,250.50"),
        (5, "pkr", "Rs 0.05"),
        (99_999_999, "pkr", "Rs 999,999.99"),
        (1999, "usd", "USD 19.99"),
        (500, "jpy", "JPY 500"),
        (5120, "kwd", "KWD 5.120"),
    ],
)
def test_amounts_are_written_as_people_know_them(minor: int, code: str, written: str) -> None:
    shown = formatting.alone(formatting.amount(Money.of(minor, code)))
    assert shown.striptags() == written
    assert shown.startswith('<bdi dir="ltr"')


@given(minor=st.integers(1, 99_999_999), code=st.sampled_from(sorted(CURRENCIES)))
def test_the_digits_of_an_amount_are_its_minor_units(minor: int, code: str) -> None:
    digits = re.sub("[^0-9]", "", formatting.alone(formatting.amount(Money.of(minor, code))).striptags())
    assert int(digits) == minor


@given(part=st.text())
def test_whatever_is_put_into_a_sentence_is_text(part: str) -> None:
    said = formatting.say("{actor} <said>", actor=part)
    assert said == Markup("<bdi>{}</bdi> &lt;said&gt;").format(part)


@given(token=st.text("0123456789", min_size=1, max_size=24))
def test_a_token_is_copied_as_it_is(token: str) -> None:
    assert re.sub("<[^>]*>", "", formatting.grouped_token(token)) == token
