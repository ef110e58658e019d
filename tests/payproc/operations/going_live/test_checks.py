"""Each look tells what is right from what is wrong: over real wires, each to a server of its kind."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import pytest
import requests
from pydantic import SecretStr
from sqlalchemy import text

from payproc.database.models import Notice, NoticeState
from payproc.errors import ProviderUnavailable
from payproc.operations.going_live.checks import every_look, look_at_all
from payproc.outgoing.mail.smtp import Mailer
from payproc.providers.inspection import Finding, Result, fine
from payproc.providers.stripe import STRIPE
from payproc.providers.stripe.account import StripeAccount
from payproc.providers.stripe.client import StripeApi
from payproc.providers.stripe.settings import StripeSettings, config_of, webhook_address
from payproc.providers.transport.circuit_breakers import CircuitBreakers
from sandbox.faults.orders import Faults
from sandbox.mail.catcher import Mailbox, MailCatcher
from sandbox.store import Store
from tests.support.wallet_world import WALLETS, WalletWorld

Looking = Callable[..., dict[str, Finding]]


def account_of(world: WalletWorld) -> StripeAccount:
    settings = world.app.settings
    assert isinstance(settings, StripeSettings)
    config = config_of(settings)
    api = StripeApi(config, CircuitBreakers(STRIPE, longest_rest=config.read_timeout))
    return StripeAccount(config, api, address=webhook_address(settings.public_base_url))


@pytest.fixture
def live(wallet_world: WalletWorld) -> WalletWorld:
    """All at the simulator, with a real front before it."""
    return wallet_world.speaking(stripe_api_base=wallet_world.gateway.base_url)


def looked(world: WalletWorld, *names: str, mail_to: str | None = None) -> dict[str, Finding]:
    looks = every_look(world.app, account_of(world), refused_by_production=(), mail_to=mail_to)
    rows = look_at_all({name: looks[name] for name in names} if names else looks)
    return {row.check: row.finding for row in rows}


def only(world: WalletWorld, name: str, **more: Any) -> Finding:
    return looked(world, name, **more)[name]


def withheld(world: WalletWorld, *operations: str) -> WalletWorld:
    requests.post(f"{world.gateway.base_url}/_sandbox/rights", json={"withheld": operations}, timeout=5)
    return world.speaking(stripe_secret_key=SecretStr("rk_test_payproc"))


def test_the_looks_have_no_secret_to_say_and_stand_in_one_order(live: WalletWorld) -> None:
    found = looked(live)
    assert list(found) == [
        "settings",
        "database",
        "broker",
        "work",
        "mail",
        "Stripe's key",
        "Stripe's webhook",
        "Stripe's deliveries",
        "clock",
        "test event",
        "jazz_cash",
        "easy_paisa",
    ]
    secrets = [value.get_secret_value() for value in vars(live.app.settings).values() if isinstance(value, SecretStr)]
    assert not [secret for secret in secrets if secret and secret in str(found)]


def test_a_test_event_is_verified_kept_and_believed_of_no_payment(live: WalletWorld) -> None:
    finding = only(live, "test event")
    assert finding.result is Result.OK
    [notice] = live.rows(Notice)
    assert (notice.state, notice.kind, notice.reason) == (
        NoticeState.IGNORED,
        "payproc.setup_check",
        "the event type concerns no payment",
    )
    live.drain()
    assert live.reviews() == []


def test_a_front_that_has_another_secret_is_found(live: WalletWorld) -> None:
    other = live.app.settings.model_copy(update={"stripe_webhook_secret": (SecretStr("whsec_another"),)})
    finding = only(replace(live, app=replace(live.app, settings=other)), "test event")
    assert (finding.result, "does not believe" in finding.found) == (Result.MISSING, True)


def answering(status: str) -> WSGIApplication:
    def app(_environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        start_response(status, [("Location", "http://127.0.0.1:9/")])
        return [b""]

    return app


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("200 OK", "keeps them in another database"),
        ("301 Moved", "redirects (301)"),
        ("404 Not Found", "answered 404"),
        ("502 Bad Gateway", "answered 502"),
    ],
)
def test_a_front_that_is_not_ours_is_found(live: WalletWorld, status: str, said: str) -> None:
    live.front.app = answering(status)
    finding = only(live, "test event")
    assert (finding.result, said in finding.found) == (Result.MISSING, True)


def test_an_address_at_which_nobody_is_is_found(live: WalletWorld) -> None:
    finding = only(live.speaking(public_base_url="http://127.0.0.1:9"), "test event")
    assert (finding.result, "does not answer" in finding.found) == (Result.MISSING, True)


def test_rights_that_a_restricted_key_lacks_are_named(live: WalletWorld) -> None:
    world = withheld(live, "GET /v1/payouts", "POST /v1/refunds")
    finding = only(world, "Stripe's key")
    assert (finding.result, finding.found) == (Result.MISSING, "the test key may not read payouts, write refunds")
    assert only(withheld(live), "Stripe's key").result is Result.OK


def test_looking_makes_nothing_at_stripe(live: WalletWorld) -> None:
    looked(live)
    client = live.stripe()
    listed = (client.v1.customers, client.v1.checkout.sessions, client.v1.refunds, client.v1.webhook_endpoints)
    assert [len(each.list().data) for each in listed] == [0, 0, 0, 0]


def test_a_key_that_stripe_does_not_know_is_found(live: WalletWorld) -> None:
    finding = only(live.speaking(stripe_secret_key=SecretStr("sk_live_unheard_of")), "Stripe's key")
    assert (finding.result, finding.found) == (Result.MISSING, "Stripe answered 401: AuthenticationError")


def test_an_endpoint_that_is_missing_or_does_not_fit_is_found(live: WalletWorld) -> None:
    account, name = account_of(live), "Stripe's webhook"
    assert only(live, name).to_do == "python -m payproc setup stripe"
    endpoint, _ = account.register(replaced=None)
    assert only(live, name).result is Result.OK
    account.retire(endpoint)
    assert only(live, name).found == f"{endpoint.id}: it is disabled"
    assert only(withheld(live, "GET /v1/webhook_endpoints"), name).result is Result.NOTE
    assert only(live.speaking(stripe_api_version="2026-09-30.endive"), name).to_do.endswith("--replace")


def test_events_that_stripe_could_not_deliver_are_found(live: WalletWorld) -> None:
    name = "Stripe's deliveries"
    assert only(live, name).result is Result.NOTE
    account_of(live).register(replaced=None)
    payment = live.started()
    live.act(payment, "pay")
    # Its secret is not set here, so nothing of it is taken.
    finding = only(live, name)
    assert (finding.result, "could not deliver" in finding.found) == (Result.MISSING, True)


@pytest.mark.parametrize(("ahead", "result"), [(0, Result.OK), (90, Result.MISSING), (-90, Result.MISSING)])
def test_a_clock_that_is_wrong_is_found(
    live: WalletWorld, monkeypatch: pytest.MonkeyPatch, ahead: int, result: Result
) -> None:
    theirs = datetime.now(UTC) - timedelta(seconds=ahead)
    monkeypatch.setattr(StripeApi, "date", lambda _: format_datetime(theirs, usegmt=True))
    finding = only(live, "clock")
    assert finding.result is result
    if ahead:
        assert ("ahead of" if ahead > 0 else "behind") in finding.found


def test_the_clock_is_held_against_the_date_of_an_answer(live: WalletWorld) -> None:
    assert only(live, "clock").result is Result.OK
    assert only(withheld(live, "GET /v1/webhook_endpoints"), "clock").result is Result.OK


@pytest.mark.parametrize("spoken", WALLETS, indirect=True, ids=str)
def test_a_wallet_that_knows_us_is_told_from_one_that_does_not(spoken: tuple[WalletWorld, str]) -> None:
    world, method = spoken
    good = only(world, method)
    assert good.result is Result.OK, good
    wrong: dict[str, Any] = {
        "jazz_cash_password": SecretStr("wrong"),
        "easy_paisa_password": SecretStr("wrong"),
        "easy_paisa_store_password": SecretStr("wrong"),
    }
    bad = only(world.speaking(**wrong), method)
    assert bad.result is Result.MISSING, bad
    assert world.calls() == []


@pytest.mark.parametrize("dialect", ["hosted-1.1", "mwallet-2.0"])
def test_a_wrong_salt_is_told_from_a_wrong_password(wallet_world: WalletWorld, dialect: str) -> None:
    world = wallet_world.speaking(jazz_cash_dialect=dialect, jazz_cash_integrity_salt=SecretStr("another1salt"))
    finding = only(world, "jazz_cash")
    assert (finding.result, "JAZZ_CASH_INTEGRITY_SALT" in finding.to_do) == (Result.MISSING, True)


@pytest.mark.parametrize(
    ("changed", "blamed"),
    [
        ({"easy_paisa_store_id": "99999"}, "EASY_PAISA_STORE_ID"),
        ({"easy_paisa_account_number": SecretStr("1")}, "EASY_PAISA_ACCOUNT_NUMBER"),
    ],
)
def test_what_easypaisa_blames_is_named(wallet_world: WalletWorld, changed: dict[str, Any], blamed: str) -> None:
    finding = only(wallet_world.speaking(easy_paisa_dialect="rest-v4", **changed), "easy_paisa")
    assert (finding.result, blamed in finding.to_do) == (Result.MISSING, True)


def test_a_gateway_that_does_not_answer_is_no_sign_of_wrong_credentials(wallet_world: WalletWorld) -> None:
    world = wallet_world.speaking(jazz_cash_base_url="http://127.0.0.1:9")
    finding = only(world, "jazz_cash")
    assert (finding.found, finding.to_do) == ("inquiry: no connection", "see that this machine reaches it")


def test_a_wallet_without_an_account_is_noted(wallet_world: WalletWorld) -> None:
    assert only(wallet_world.speaking(jazz_cash_merchant_id=""), "jazz_cash").result is Result.NOTE


@pytest.fixture
def catcher() -> Iterator[tuple[MailCatcher, Mailbox]]:
    faults = Faults(calls={}, notices={})
    store = Store(":memory:")
    mailbox = Mailbox(store)
    catcher = MailCatcher(mailbox, faults)
    catcher.start()
    yield catcher, mailbox
    catcher.stop()
    store.close()


def test_a_mail_server_is_greeted_and_sent_a_mail_where_one_is_wanted(
    wallet_world: WalletWorld, catcher: tuple[MailCatcher, Mailbox]
) -> None:
    server, mailbox = catcher
    world = replace(wallet_world, app=replace(wallet_world.app, mailer=Mailer(f"smtp://127.0.0.1:{server.port}")))
    assert only(world, "mail").result is Result.NOTE
    assert mailbox.letters() == []
    assert only(world, "mail", mail_to="owner@example.com").result is Result.OK
    [mail] = mailbox.letters()
    assert "A test of payproc" in str(mail)
    assert only(world, "mail", mail_to="no address").result is Result.MISSING


def test_a_mail_server_that_does_not_answer_is_found(wallet_world: WalletWorld) -> None:
    world = replace(wallet_world, app=replace(wallet_world.app, mailer=Mailer("smtp://127.0.0.1:9")))
    assert only(world, "mail").result is Result.MISSING


@pytest.mark.parametrize("url", ["redis://127.0.0.1:9/0", "amqp://127.0.0.1:9//", "sentinel://127.0.0.1:9"])
def test_a_broker_that_does_not_answer_is_found(wallet_world: WalletWorld, url: str) -> None:
    assert only(wallet_world.speaking(broker_url=url), "broker").result is Result.MISSING


def test_tables_of_another_revision_are_found(wallet_world: WalletWorld) -> None:
    assert only(wallet_world, "database").result is Result.NOTE  # the superuser of the tests
    with wallet_world.app.database.transaction() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    finding = only(wallet_world, "database")
    assert (finding.result, finding.to_do) == (Result.MISSING, "python -m payproc db upgrade")


def test_work_that_nobody_takes_is_found(live: WalletWorld) -> None:
    assert only(live, "work").result is Result.OK
    live.checkout()
    with live.app.database.transaction() as session:
        session.execute(text("UPDATE jobs SET due_at = now() - interval '2 minutes'"))
    assert only(live, "work").to_do == "start the relay and the workers"
    live.drain()


def test_what_production_would_refuse_is_noted_before_it_is_production(wallet_world: WalletWorld) -> None:
    looks = every_look(
        wallet_world.app, account_of(wallet_world), refused_by_production=["REDIRECT_HOSTS is empty"], mail_to=None
    )
    finding = looks["settings"]()
    assert (finding.result, "REDIRECT_HOSTS is empty" in finding.found) == (Result.NOTE, True)


def test_one_look_that_hangs_or_breaks_hides_no_other() -> None:
    never = threading.Event()

    def hangs() -> Finding:
        never.wait()
        return fine("at last")

    def breaks() -> Finding:
        raise ZeroDivisionError

    def away() -> Finding:
        raise ProviderUnavailable("nobody there")

    rows = look_at_all(
        {"hangs": hangs, "breaks": breaks, "away": away, "good": lambda: fine("yes")}, deadline_seconds=0.3
    )
    never.set()
    assert [(row.check, row.is_good) for row in rows] == [
        ("hangs", False),
        ("breaks", False),
        ("away", False),
        ("good", True),
    ]
    assert [row.finding.found for row in rows] == [
        "no answer within 0.3 s",
        "it cannot be looked at (ZeroDivisionError)",
        "nobody there",
        "yes",
    ]
