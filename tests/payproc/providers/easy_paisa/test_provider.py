import base64
import json
import socket
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from payproc.domain.money import Money
from payproc.domain.references import Reference
from payproc.errors import (
    InvalidRequest,
    OperationNotSupported,
    OutcomeUncertain,
    ProviderUnavailable,
    Refusal,
    RequestRefused,
    SettingsInvalid,
)
from payproc.providers.answers import AwaitCustomer, Verdict
from payproc.providers.base import FindingStarts, PostingForms, Provider, Refunding, Returning
from payproc.providers.easy_paisa import signature
from payproc.providers.easy_paisa.provider import EasyPaisaProvider
from payproc.providers.easy_paisa.settings import Dialect, EasyPaisaConfig, PaymentType, default_base_url
from payproc.providers.requests import Operation, Payer, StartMode, StoredCall
from payproc.providers.transport.circuit_breakers import CallTimedOut
from tests.payproc.providers.easy_paisa.gateway import Gateway
from tests.payproc.providers.easy_paisa.merchant import (
    ACCOUNT,
    GATEWAY_KEY,
    NOW,
    OUR_KEY,
    PHONE,
    REFERENCE,
    REST,
    SECRETS,
    config,
    provider,
    public_pem,
    ref,
    request,
    stored,
)

PUSHED = [Dialect.GUIDE, *REST]
PAID = {
    "orderId": REFERENCE,
    "storeId": "1234",
    "accountNum": ACCOUNT,
    "transactionId": 7001,
    "transactionStatus": "PAID",
    "transactionAmount": 1250.5,
    "responseCode": "0000",
}
GUIDE_PAID = {"storeId": "1234", "transactionId": REFERENCE, "transactionStatus": "success", "amount": 125050}
ACCEPTED = {"orderId": REFERENCE, "storeId": "1234", "transactionId": "7001", "responseCode": "0000"}


def at(gateway: Gateway, dialect: Dialect, **changes: Any) -> EasyPaisaProvider:
    return provider(config(dialect, base_url=gateway.url, **changes))


def prepared_call(asked: EasyPaisaProvider, dialect: Dialect, **changes: Any) -> StoredCall:
    return stored(asked.prepare_start(request(dialect, **changes)).parameters, dialect)


def enveloped(reply: dict[str, Any], *, key: rsa.RSAPrivateKey = GATEWAY_KEY) -> str:
    inner = json.dumps(reply, indent=1)
    return f'{{ "signature": "{signature.signed(inner, key)}",\n "response" : {inner} }}'


def replied(dialect: Dialect, reply: dict[str, Any]) -> Any:
    return enveloped(reply) if dialect is Dialect.REST_V5_RSA else reply


# --- What kind of provider it is --------------------------------------------------------------------------------------


def test_it_is_what_the_core_expects() -> None:
    made: Provider = provider(config(Dialect.HOSTED))
    assert isinstance(made, PostingForms)
    assert isinstance(made, Returning)
    assert not isinstance(made, Refunding)
    assert (made.dialect, type(made.dialect), made.live_mode) == ("hosted", str, False)


@pytest.mark.parametrize(
    ("dialect", "mode"),
    [(Dialect.HOSTED, StartMode.FORM_POST), *((dialect, StartMode.SINGLE_SHOT) for dialect in PUSHED)],
)
def test_only_the_hosted_page_is_begun_by_a_form(dialect: Dialect, mode: StartMode) -> None:
    assert provider(config()).start_mode(dialect.value) is mode


def test_it_can_always_be_asked() -> None:
    assert provider(config()).can_inquire(ref())


def test_it_is_asked_soon_and_then_more_seldom_unless_the_settings_say_otherwise() -> None:
    minutes = [wait / timedelta(minutes=1) for wait in provider(config()).poll_schedule("guide")]
    assert minutes == pytest.approx([1 / 3, 1, 3, 10, 20, 40, 60])
    ours = (timedelta(seconds=2),)
    assert provider(config(poll_schedule=ours)).poll_schedule("rest-v4") == ours


def test_a_dialect_of_another_provider_is_refused() -> None:
    made = provider(config())
    for refused in (
        lambda: made.start_mode("mwallet-2.0"),
        lambda: made.prepare_start(replace(request(), dialect="")),
        lambda: made.inquire(replace(ref(), dialect="checkout")),
    ):
        with pytest.raises(OperationNotSupported):
            refused()


def test_a_charge_is_found_by_inquiry_alone() -> None:
    made: Provider = provider(config())
    assert not isinstance(made, FindingStarts)


def test_the_hosted_page_is_not_started_by_us() -> None:
    hosted = provider(config(Dialect.HOSTED))
    with pytest.raises(OperationNotSupported):
        hosted.prepare_start(request(Dialect.HOSTED))
    with pytest.raises(OperationNotSupported):
        hosted.start(stored({}, Dialect.HOSTED))


# --- What it takes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dialect", list(Dialect))
def test_only_rupees_are_taken(dialect: Dialect) -> None:
    with pytest.raises(InvalidRequest) as refused:
        provider(config()).check(request(dialect, money=Money.of(1999, "usd")))
    assert (refused.value.code, refused.value.field) == ("currency_unsupported", "currency")
    provider(config()).check(request(dialect))


@pytest.mark.parametrize("dialect", PUSHED)
def test_a_push_needs_a_phone(dialect: Dialect) -> None:
    with pytest.raises(InvalidRequest) as refused:
        provider(config()).check(request(dialect, payer=Payer()))
    assert (refused.value.code, refused.value.field) == ("phone_missing", "phone")


def test_the_hosted_page_asks_for_the_phone_itself() -> None:
    provider(config()).check(request(Dialect.HOSTED, payer=Payer()))


def test_a_charge_whose_phone_is_gone_is_not_sent(gateway: Gateway) -> None:
    asked = at(gateway, Dialect.REST_V4)
    with pytest.raises(RequestRefused) as refused:
        asked.start(replace(prepared_call(asked, Dialect.REST_V4), payer=Payer()))
    assert (refused.value.refusal, refused.value.code) == (Refusal.INPUT, "phone_missing")
    assert gateway.seen == []


# --- Settings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dialect", "changes", "problem"),
    [
        (Dialect.REST_V5_RSA, {"private_key_pem": ""}, "EASY_PAISA_PRIVATE_KEY"),
        (Dialect.REST_V5_RSA, {"private_key_pem": public_pem(OUR_KEY)}, "EASY_PAISA_PRIVATE_KEY"),
        (Dialect.REST_V5_RSA, {"public_key_pem": ""}, "EASY_PAISA_PUBLIC_KEY"),
        (Dialect.REST_V4, {"public_key_pem": "no key"}, "EASY_PAISA_PUBLIC_KEY"),
        (Dialect.HOSTED, {"hash_key": ""}, "EASY_PAISA_HASH_KEY"),
        (Dialect.HOSTED, {"hash_key": "short"}, "EASY_PAISA_HASH_KEY"),
        (Dialect.HOSTED, {"return_url": "https://shop.example/?b&c"}, "EASY_PAISA_RETURN_URL"),
    ],
)
def test_nothing_starts_with_keys_that_are_none(dialect: Dialect, changes: dict[str, str], problem: str) -> None:
    with pytest.raises(SettingsInvalid) as refused:
        provider(config(dialect, **changes))
    assert [line.partition(" ")[0] for line in refused.value.problems] == [problem]


@pytest.mark.parametrize("dialect", [Dialect.GUIDE, Dialect.REST_V4])
def test_keys_that_the_dialect_does_without_may_be_missing(dialect: Dialect) -> None:
    seconds = timedelta(seconds=1)
    bare = EasyPaisaConfig(
        dialect=dialect,
        store_id="1",
        return_url="",
        notify_url="",
        merchant_email="",
        live_mode=False,
        read_timeout=seconds,
    )
    assert provider(bare).dialect == dialect.value


@pytest.mark.parametrize("live", [True, False])
def test_every_dialect_has_its_own_host(*, live: bool) -> None:
    hosts = {dialect: default_base_url(dialect, live=live) for dialect in Dialect}
    assert len(set(hosts.values())) == 2
    assert config(live_mode=live).base_for(Dialect.GUIDE) == hosts[Dialect.GUIDE]
    assert config(live_mode=live, base_url="http://127.0.0.1:1/x/").base_for(Dialect.GUIDE) == "http://127.0.0.1:1/x"


def test_nothing_shows_a_secret() -> None:
    asked = provider(config(Dialect.REST_V5_RSA))
    call = prepared_call(asked, Dialect.REST_V5_RSA)
    shown = f"{config()!r} {asked!r} {vars(asked)!r} {call!r} {request()!r} {ref()!r}"
    assert not [secret for secret in (*SECRETS, PHONE) if secret in shown]


# --- On the wire ------------------------------------------------------------------------------------------------------


def test_the_guide_is_spoken_with_basic_credentials(gateway: Gateway) -> None:
    asked = at(gateway, Dialect.GUIDE)
    gateway.say({"transactionId": REFERENCE, "responseCode": "0000", "responseDesc": "Accepted"})
    result = asked.start(prepared_call(asked, Dialect.GUIDE))
    assert (result.next_action, result.outcome) == (AwaitCustomer(), None)
    assert result.references == {Reference.EASY_PAISA: REFERENCE}
    gateway.say(GUIDE_PAID)
    outcome = asked.inquire(ref(Dialect.GUIDE))
    assert (outcome.verdict, outcome.money) == (Verdict.PAID, Money.of(125050, "pkr"))
    assert [seen.path for seen in gateway.seen] == [
        "/api/Payment/InitiatePayment",
        "/api/Payment/GetTransactionStatus",
    ]
    basic = "Basic " + base64.b64encode(b"1234:store-secret").decode()
    assert all(seen.headers["authorization"] == basic for seen in gateway.seen)
    assert gateway.seen[0].fields["mobileNumber"] == PHONE
    assert gateway.seen[0].fields["amount"] == 125050


@pytest.mark.parametrize(
    ("payment_type", "path", "phone"),
    [
        (PaymentType.MOBILE_ACCOUNT, "/easypay-service/rest/v4/initiate-ma-transaction", "mobileAccountNo"),
        (PaymentType.OVER_THE_COUNTER, "/easypay-service/rest/v4/initiate-otc-transaction", "msisdn"),
    ],
)
def test_rest_is_spoken_with_its_own_header(gateway: Gateway, payment_type: PaymentType, path: str, phone: str) -> None:
    preparer = at(gateway, Dialect.REST_V4, payment_type=payment_type)
    call = prepared_call(preparer, Dialect.REST_V4)
    gateway.say({**ACCEPTED, "paymentToken": "99887766"})
    # The settings have changed since: what was prepared is sent all the same.
    result = at(gateway, Dialect.REST_V4).start(call)
    assert result.references == {Reference.EASY_PAISA: "7001"}
    seen = gateway.seen[0]
    assert (seen.path, seen.fields[phone], seen.fields["transactionAmount"]) == (path, PHONE, "1250.50")
    assert seen.headers["credentials"] == base64.b64encode(b"api-user:api-secret").decode()
    assert seen.headers["content-type"] == "application/json"
    assert "authorization" not in seen.headers


@pytest.mark.parametrize("dialect", [Dialect.REST_V4, Dialect.REST_V5_RSA, Dialect.HOSTED])
def test_a_real_dialect_is_asked_by_order_store_and_account(gateway: Gateway, dialect: Dialect) -> None:
    gateway.say(replied(dialect, PAID))
    # Asked in the payment's own dialect, whatever new payments are made in.
    outcome = at(gateway, Dialect.REST_V4).inquire(ref(dialect))
    assert (outcome.verdict, outcome.money) == (Verdict.PAID, Money.of(125050, "pkr"))
    assert (outcome.receipt, outcome.live_mode) == ("7001", None)
    version = "v5" if dialect is Dialect.REST_V5_RSA else "v4"
    assert gateway.seen[0].path == f"/easypay-service/rest/{version}/inquire-transaction"
    words = gateway.seen[0].fields
    assert words.get("request", words) == {"orderId": REFERENCE, "storeId": "1234", "accountNum": ACCOUNT}


def test_the_words_of_v5_are_signed_as_they_are_sent(gateway: Gateway) -> None:
    asked = at(gateway, Dialect.REST_V5_RSA)
    gateway.say(enveloped(ACCEPTED))
    result = asked.start(prepared_call(asked, Dialect.REST_V5_RSA))
    assert result.outcome is not None
    assert (result.outcome.verdict, result.references) == (Verdict.UNKNOWN, {Reference.EASY_PAISA: "7001"})
    seen = gateway.seen[0]
    inner = seen.body.decode().removeprefix('{"request":').partition(',"signature":')[0]
    assert signature.verifies(inner, seen.fields["signature"], OUR_KEY.public_key())
    assert seen.headers["content-type"] == "application/json"
    assert "api-secret" not in seen.body.decode()
    assert seen.path == "/easypay-service/rest/v5/initiate-ma-transaction"


@pytest.mark.parametrize(
    "reply",
    [
        *(PAID, {"response": PAID}, {"response": PAID, "signature": "AAAA"}, enveloped(PAID, key=OUR_KEY)),
        *({"response": ACCEPTED, "signature": None}, enveloped(PAID).replace("PAID", "PAID_AND_SETTLED"), {}),
        enveloped(PAID).replace("1250.5", "1250.50"),
    ],
)
def test_an_answer_of_v5_that_is_not_signed_is_not_believed(gateway: Gateway, reply: Any) -> None:
    asked = at(gateway, Dialect.REST_V5_RSA)
    gateway.say(reply)
    with pytest.raises(OutcomeUncertain) as uncertain:
        asked.start(prepared_call(asked, Dialect.REST_V5_RSA))
    with pytest.raises(ProviderUnavailable) as unavailable:
        asked.inquire(ref(Dialect.REST_V5_RSA))
    assert (uncertain.value.code, unavailable.value.code) == ("bad_signature", "bad_signature")


def test_an_unsigned_refusal_is_told_to_whoever_sets_the_keys_up(gateway: Gateway) -> None:
    asked = at(gateway, Dialect.REST_V5_RSA)
    gateway.say({"response": {"responseCode": "0025"}})
    with pytest.raises(OutcomeUncertain, match="0025"):
        asked.start(prepared_call(asked, Dialect.REST_V5_RSA))


def test_an_old_payment_of_v5_waits_for_its_keys(gateway: Gateway) -> None:
    asked = at(gateway, Dialect.REST_V4, private_key_pem="", public_key_pem=public_pem(GATEWAY_KEY))
    with pytest.raises(RequestRefused) as refused:
        asked.inquire(ref(Dialect.REST_V5_RSA))
    assert (refused.value.refusal, refused.value.code) == (Refusal.CONFIGURATION, "rsa_keys_missing")
    assert gateway.seen == []


def test_a_refusal_is_an_answer_whatever_its_status(gateway: Gateway) -> None:
    asked = at(gateway, Dialect.REST_V4)
    gateway.say({"responseCode": "0010", "responseDesc": "Invalid credentials"}, status=401)
    with pytest.raises(RequestRefused) as refused:
        asked.inquire(ref())
    assert refused.value.refusal is Refusal.CONFIGURATION


# --- When it goes wrong -----------------------------------------------------------------------------------------------

IMPATIENT = {"push_timeout": timedelta(seconds=0.2), "read_timeout": timedelta(seconds=0.2)}
F5 = "<html><title>Request Rejected</title>Your support ID is: 18446744073709551615</html>"


def patience(fail: Callable[[Gateway], None]) -> dict[str, timedelta]:
    """Be impatient with silence alone: on a busy machine an answer may take as long."""
    return IMPATIENT if fail is Gateway.hold else {}


FAILURES: list[tuple[Callable[[Gateway], None], str]] = [
    (Gateway.hold, "timeout"),
    (Gateway.cut, "connection_lost"),
    (lambda gateway: gateway.say_html(F5), "unreadable_answer"),
    (lambda gateway: gateway.say({**PAID, **GUIDE_PAID}, status=500), "unreadable_answer"),
    (lambda gateway: gateway.say({**PAID, **GUIDE_PAID}, status=302), "unreadable_answer"),
    (lambda gateway: gateway.say('{"responseCode": "00'), "unreadable_answer"),
    (lambda gateway: gateway.say([PAID]), "unreadable_answer"),
    (lambda gateway: gateway.say("null"), "unreadable_answer"),
    (lambda gateway: gateway.say(""), "unreadable_answer"),
]


@pytest.mark.parametrize(("fail", "code"), FAILURES)
@pytest.mark.parametrize("dialect", PUSHED)
def test_a_charge_without_an_answer_is_uncertain_and_sent_once(
    gateway: Gateway, dialect: Dialect, fail: Callable[[Gateway], None], code: str
) -> None:
    asked = at(gateway, dialect, **patience(fail))
    fail(gateway)
    with pytest.raises(OutcomeUncertain) as uncertain:
        asked.start(prepared_call(asked, dialect))
    assert uncertain.value.code == code
    assert len(gateway.seen) == 1
    assert not [secret for secret in (*SECRETS, PHONE) if secret in str(uncertain.value)]


@pytest.mark.parametrize(("fail", "code"), FAILURES)
@pytest.mark.parametrize("dialect", PUSHED)
def test_an_inquiry_without_an_answer_can_be_tried_again(
    gateway: Gateway, dialect: Dialect, fail: Callable[[Gateway], None], code: str
) -> None:
    fail(gateway)
    with pytest.raises(ProviderUnavailable) as unavailable:
        at(gateway, dialect, **patience(fail)).inquire(ref(dialect))
    assert unavailable.value.code == code
    assert len(gateway.seen) == 2


def test_a_firewalls_page_is_told_with_its_support_id(gateway: Gateway) -> None:
    asked = at(gateway, Dialect.REST_V4)
    gateway.say_html(F5)
    with pytest.raises(OutcomeUncertain, match="18446744073709551615"):
        asked.start(prepared_call(asked, Dialect.REST_V4))


def test_a_gateway_that_is_not_there_was_not_charged() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        asked = provider(config(base_url=f"http://127.0.0.1:{bound.getsockname()[1]}"))
        with pytest.raises(ProviderUnavailable) as unavailable:
            asked.start(prepared_call(asked, Dialect.REST_V4))
    assert unavailable.value.code == "no_connection"


def test_customers_who_do_not_answer_are_no_outage_but_a_silent_counter_is(gateway: Gateway) -> None:
    gateway.hold()
    pushes = at(gateway, Dialect.REST_V4, **IMPATIENT)
    for _ in range(6):
        with pytest.raises(CallTimedOut):
            pushes.start(prepared_call(pushes, Dialect.REST_V4))
    tokens = at(gateway, Dialect.REST_V4, payment_type=PaymentType.OVER_THE_COUNTER, **IMPATIENT)
    for _ in range(5):
        with pytest.raises(CallTimedOut):
            tokens.start(prepared_call(tokens, Dialect.REST_V4))
    with pytest.raises(ProviderUnavailable) as resting:
        tokens.start(prepared_call(tokens, Dialect.REST_V4))
    assert resting.value.code == "circuit_open"


def test_a_plan_is_pure_and_keeps_the_phone_out() -> None:
    for dialect in PUSHED:
        asked = provider(config(dialect))
        prepared = asked.prepare_start(request(dialect, created_at=NOW))
        assert prepared == asked.prepare_start(request(dialect))
        assert prepared.operation is Operation.START
        assert PHONE not in json.dumps(prepared.parameters)
