"""What a link to a pay page carries, for how long, and who gets one by coming back from a wallet."""

from dataclasses import replace

import pytest
from flask.testing import FlaskClient

from payproc.application import Application
from payproc.database.models import Payment, User
from payproc.domain.money import Money
from payproc.domain.provenance import Provenance, Source
from payproc.domain.requests.payment import PaymentRequest
from payproc.domain.states import Fact
from payproc.flows import checkout
from payproc.providers.easy_paisa import EASY_PAISA
from payproc.records import payments
from payproc.settings import Settings
from tests.support.configuration import settings_of_a_test
from tests.web.client import PREFIX, is_problem
from web.app import create_app
from web.pay import links

BROWSER = {"Accept": "text/html"}


@pytest.fixture
def settings(database_url: str) -> Settings:
    return settings_of_a_test(
        database_url,
        easy_paisa_dialect="hosted",
        easy_paisa_store_id="1234",
        easy_paisa_username="shop",
        easy_paisa_password="pw12345678",
        easy_paisa_account_number="987654321",
        easy_paisa_hash_key="0123456789abcdef",
    )


@pytest.fixture
def payment(app: Application, customer: User) -> Payment:
    wanted = PaymentRequest(money=Money.of(125050, "pkr"), description="Two mangoes", phone="03451234567")
    return checkout.take_payment(app, wanted, user=customer, method=EASY_PAISA)


@pytest.fixture
def path(app: Application, payment: Payment) -> str:
    with create_app(app).app_context():
        return links.path_of(payment.id)


def with_links_for(app: Application, days: int) -> FlaskClient:
    return create_app(replace(app, settings=app.settings.model_copy(update={"pay_link_days": days}))).test_client()


def end(app: Application, payment: Payment, fact: Fact) -> None:
    with app.database.transaction() as session:
        payments.apply_fact(session, payment.id, fact, provenance=Provenance(source=Source.OPERATOR, evidence="rev_1"))


def come_back(client: FlaskClient, payment: Payment) -> str:
    came = client.get(f"{PREFIX}/easy-paisa/return?orderRefNumber={payment.reference}")
    assert came.status_code == 303
    return came.headers["Location"]


@pytest.mark.parametrize("fact", [Fact.PAID, Fact.DECLINED, Fact.CANCELLED, Fact.EXPIRED])
def test_a_link_ends_days_after_its_payment(app: Application, payment: Payment, path: str, fact: Fact) -> None:
    end(app, payment, fact)
    assert with_links_for(app, 1).get(path, headers=BROWSER).status_code == 200

    after = with_links_for(app, 0)
    shown = after.get(path, headers=BROWSER)
    assert shown.status_code == 404
    assert "1,250.50" not in shown.text
    for answer in (after.get(path), after.get(f"{path}/status"), after.post(f"{path}/cancel")):
        assert is_problem(answer, 404, "pay_link_invalid")


def test_the_link_of_an_open_payment_does_not_end(app: Application, path: str) -> None:
    assert with_links_for(app, 0).get(path, headers=BROWSER).status_code == 200


def test_a_browser_that_began_a_payment_is_led_back_to_it(app: Application, payment: Payment, path: str) -> None:
    browser = create_app(app).test_client()
    browser.get(path, headers=BROWSER)
    back = browser.get(come_back(browser, payment), headers=BROWSER)
    assert (back.status_code, back.headers["Location"]) == (303, f"{path}?returned=1")


def test_what_a_browser_keeps_goes_nowhere_else_and_no_script_reads_it(
    app: Application, payment: Payment, path: str
) -> None:
    secure = app.settings.model_copy(update={"public_base_url": "https://pay.example.com"})
    shown = create_app(replace(app, settings=secure)).test_client().get(path, headers=BROWSER)
    [kept] = [cookie for cookie in shown.headers.getlist("Set-Cookie") if payment.reference in cookie]
    for attribute in ("Path=/pay/back", "HttpOnly", "Secure", "SameSite=Lax", "Max-Age=86400"):
        assert attribute in kept


def test_another_browser_that_comes_back_is_shown_no_payment(app: Application, payment: Payment, path: str) -> None:
    create_app(app).test_client().get(path, headers=BROWSER)
    stranger = create_app(app).test_client()
    back = stranger.get(come_back(stranger, payment), headers=BROWSER)
    assert back.status_code == 200
    assert "You are back from your wallet" in back.text
    for hidden in ("1,250.50", payment.description, payment.reference, payment.id, path):
        assert hidden not in back.text


@pytest.mark.parametrize("token", ["", "x", "InBheSI.Zm9v", "a.b.c", "\N{SNOWMAN}"])
def test_what_a_stranger_writes_into_a_cookie_opens_nothing(app: Application, payment: Payment, token: str) -> None:
    stranger = create_app(app).test_client()
    stranger.set_cookie(f"payproc_pay_{payment.reference}", token, path="/pay/back")
    assert stranger.get(come_back(stranger, payment), headers=BROWSER).status_code == 200


def test_a_browser_that_kept_a_link_that_is_over_is_shown_no_payment(
    app: Application, payment: Payment, path: str
) -> None:
    browser = with_links_for(app, 0)
    browser.get(path, headers=BROWSER)
    end(app, payment, Fact.PAID)
    back = browser.get(come_back(browser, payment), headers=BROWSER, follow_redirects=True)
    assert back.status_code == 404
