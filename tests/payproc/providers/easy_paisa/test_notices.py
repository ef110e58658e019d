import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payproc.domain.references import Reference
from payproc.errors import NoticeMalformed
from payproc.providers.easy_paisa import notices
from payproc.providers.easy_paisa.settings import Dialect
from payproc.providers.notices import Hint, Ignored
from tests.payproc.providers.easy_paisa.gateway import Gateway
from tests.payproc.providers.easy_paisa.merchant import ACCOUNT, PHONE, REFERENCE, config, delivered, provider
from tests.support.contract.harness import read_notice

CONFIG = config(Dialect.HOSTED)
PROVIDER = provider(CONFIG)
PATH = f"/easypay-service/rest/v1/order-status/{ACCOUNT}/{REFERENCE}"
REAL = f"https://easypay.easypaisa.com.pk{PATH}"
UNUSABLE = Ignored(
    key="easy_paisa.ipn.unusable",
    kind="easy_paisa.ipn",
    reason="the address names no order of our account",
)


def read(body: bytes = b"", *, query: str = "") -> Any:
    return read_notice(PROVIDER, delivered(body, query=query))


def stored(body: bytes = b"", *, query: str = "") -> bytes:
    return notices.redacted(delivered(body, query=query), CONFIG)


# --- The gateway's own notice -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query",
    [
        f"url={REAL}",
        f"url={quote(REAL, safe='')}",
        f"url=https://easypaystg.easypaisa.com.pk{PATH}",
        f"from=portal&url={REAL}&x=",
    ],
)
def test_an_address_of_our_account_is_a_reason_to_ask(query: str) -> None:
    assert read(query=query) == Hint(kind="easy_paisa.ipn", reference=REFERENCE)


HOSTILE = [
    *("", "x", "/", "javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "gopher://127.0.0.1:25/x"),
    *("http://127.0.0.1/", "http://169.254.169.254/latest/meta-data/", "http://[::1]/", "http://localhost:9/"),
    *(f"https://{host}{PATH}" for host in ("127.0.0.1", "[::1]", "2130706433", "0x7f.1", "example.com", "")),
    *(f"{start}{PATH}" for start in ("", "//easypay.easypaisa.com.pk", "https:easypay.easypaisa.com.pk")),
    f"http://easypay.easypaisa.com.pk{PATH}",
    f"HTTPS://easypay.easypaisa.com.pk{PATH}",
    f"ftp://easypay.easypaisa.com.pk{PATH}",
    f"https://easypay.easypaisa.com.pk:443{PATH}",
    f"https://easypay.easypaisa.com.pk:8443{PATH}",
    f"https://easypay.easypaisa.com.pk:{PATH}",
    f"https://easypay.easypaisa.com.pk.{PATH}",
    f"https://EASYPAY.easypaisa.com.pk{PATH}",
    f"https://user@easypay.easypaisa.com.pk{PATH}",
    f"https://user:password@easypay.easypaisa.com.pk{PATH}",
    f"https://easypay.easypaisa.com.pk@evil.example{PATH}",
    f"https://easypay.easypaisa.com.pk%40evil.example{PATH}",
    f"https://easypay.easypaisa.com.pk\\@evil.example{PATH}",
    f"https://evil.example#@easypay.easypaisa.com.pk{PATH}",
    f"https://evil.example?{REAL}",
    f"https://evil.example/{REAL}",
    *(f"https://{host}{PATH}" for host in ("easypay.easypaisa.com.pk.evil.example", "easypay.easypaisa.com")),
    *(f"https://{host}{PATH}" for host in ("evil.easypaisa.com.pk", "easypaisa.com.pk", "xeasypay.easypaisa.com.pk")),
    *(f"https://{host}{PATH}" for host in ("easypayXeasypaisa.com.pk", "easypay-easypaisa.com.pk")),
    # Dots, letters and slashes that only look like ours.
    f"https://easypay\u3002easypaisa.com.pk{PATH}",
    f"https://easypay\uff0eeasypaisa.com.pk{PATH}",
    f"https://e\u0430sypay.easypaisa.com.pk{PATH}",
    f"https://easypay.easypaisa.com.pk\u2044easypay-service/rest/v1/order-status/{ACCOUNT}/{REFERENCE}",
    *(f"{REAL}{end}" for end in ("/", "?", "?a=b", "#", "#x", "%00", "\n", " ", "\r\nHost: evil", "/..", "%2f..", "-")),
    *(f" {REAL}", f"\t{REAL}", f"\ufeff{REAL}", f"{REAL},{REAL}"),
    REAL.replace("/rest/", "/rest/../rest/"),
    REAL.replace("/v1/", "/v1/./"),
    REAL.replace("/v1/", "/v2/"),
    REAL.replace("/v1/", "//v1/"),
    REAL.replace("order-status/", "order-status%2F"),
    REAL.replace("order-status/", "order-status/../order-status/"),
    REAL.replace("order-status", "ORDER-STATUS"),
    REAL.replace(ACCOUNT, "30303030"),
    REAL.replace(ACCOUNT, f"0{ACCOUNT}"),
    REAL.replace(f"{ACCOUNT}/", ""),
    REAL.replace(ACCOUNT, ""),
    REAL.replace(ACCOUNT, ".*"),
    *(REAL.replace(REFERENCE, order) for order in ("", "..", "a/b", "a%2Fb", "a.b", "a_b", "a'b", "A" * 21, "\u0661")),
    *(REAL + "A" * 10_000, "https://easypay.easypaisa.com.pk/" + "../" * 3000),
]


@pytest.mark.parametrize("address", HOSTILE)
def test_any_other_address_is_ignored_in_the_same_words(address: str) -> None:
    assert read(query=f"url={quote(address, safe='', errors='surrogatepass')}") == UNUSABLE
    # As it may come from a sender who escapes nothing. What is a query of its own then is not ours either.
    if "#" not in address and "%" not in address and "&" not in address and address.strip() == address:
        assert read(query=f"url={address}") == UNUSABLE


@pytest.mark.parametrize(
    "query",
    [
        f"url={REAL}&url={REAL}",
        f"url={REAL}&url=https://evil.example/",
        f"url=https://evil.example/&%75rl={REAL}",
        f"url={quote(quote(REAL, safe=''), safe='')}",
        f"URL={REAL}",
        f"url[]={REAL}",
        f"u={REAL}",
        "url",
        "url=",
        "url=%ff",
        "&",
        "=",
        "x" * 100_000,
        "&".join(["url="] * 1000),
        f"url={REAL}&" + "&".join(f"x{at}=" for at in range(100)),
    ],
)
def test_any_other_query_is_ignored_in_the_same_words(query: str) -> None:
    assert read(query=query) == UNUSABLE


@given(st.text())
def test_no_text_makes_an_address_ours(text: str) -> None:
    for address in (text, f"https://{text}{PATH}", f"{REAL[: -len(REFERENCE)]}{text}?", f"https:/{text}{REAL[8:]}"):
        escaped = quote(address, safe="", errors="surrogatepass")
        assert address == REAL or read(query=f"url={escaped}") == UNUSABLE


def test_without_an_account_of_ours_no_address_is() -> None:
    guide = provider(config(Dialect.GUIDE, account_number=""))
    for address in (REAL, REAL.replace(ACCOUNT, ""), REAL.replace(f"{ACCOUNT}/", "")):
        assert read_notice(guide, delivered(query=f"url={address}")) == UNUSABLE


@pytest.mark.parametrize("prefix", ["", "/easypaisa"])
def test_a_sandbox_is_believed_at_its_own_address_only_and_nothing_is_ever_fetched(
    gateway: Gateway, prefix: str
) -> None:
    sandboxed = provider(config(Dialect.REST_V4, base_url=gateway.url + prefix))
    for base in (gateway.url, gateway.url + prefix, "https://easypay.easypaisa.com.pk"):
        hint = read_notice(sandboxed, delivered(query=f"url={base}{PATH}"))
        assert hint == Hint(kind="easy_paisa.ipn", reference=REFERENCE)
    host = gateway.url.removeprefix("http://")
    for base in (
        *(f"{gateway.url}0", f"https://{host}", f"http://user@{host}", f"http://{host}/x", f"{gateway.url}/"),
        *(host, f"http://localhost:{host.partition(':')[2]}", "http://127.0.0.1", f"http://evil.example@{host}"),
    ):
        assert read_notice(sandboxed, delivered(query=f"url={base}{PATH}")) == UNUSABLE
    # The real deployment does not know the sandbox at all.
    assert read(query=f"url={gateway.url}{PATH}") == UNUSABLE
    assert gateway.seen == []


# --- The guide's notice -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["success", "failed", "", None, 7, []])
def test_the_guides_notice_is_a_reason_to_ask_whatever_it_claims(status: Any) -> None:
    body = json.dumps({"transactionId": REFERENCE, "transactionStatus": status}).encode()
    assert read(body) == Hint(
        kind="easy_paisa.guide",
        reference=REFERENCE,
        references={Reference.EASY_PAISA: REFERENCE},
        answer={"status": "received"},
    )


def test_the_guides_notice_may_name_the_gateways_id_and_ours_beside_it() -> None:
    hint = read(json.dumps({"transactionId": "EP-4711", "transactionRefId": REFERENCE}).encode())
    assert (hint.reference, hint.also, hint.references) == ("EP-4711", (REFERENCE,), {Reference.EASY_PAISA: "EP-4711"})


def test_a_body_is_read_and_not_the_query_beside_it() -> None:
    body = json.dumps({"transactionId": "P1"}).encode()
    assert read(body, query=f"url={REAL}").reference == "P1"


MALFORMED = [
    *(b"{}", b"[]", b"null", b"true", b"1", b'"P1"', b"{", b" ", b"\0", b"NaN", b"<html>", b"transactionId=P1"),
    *(b'{"transactionId":null}', b'{"transactionId":""}', b'{"transactionId":7}', b'{"transactionId":["P1"]}'),
    *(b'{"transactionId":{"id":"P1"}}', b'{"transactionId":true}', b'{"transactionId":"a b"}'),
    *(b'{"transactionId":"a\\u0000"}', b'{"transactionId":"\\ud800"}', b'{"transactionId":"' + b"a" * 65 + b'"}'),
    *(b'{"transactionid":"P1"}', b'{"transactionStatus":"success"}', b'[{"transactionId":"P1"}]'),
    *(b'{"transactionId":"P1","transactionId":"P2"}', b'{"transactionId":"P1","\\u0074ransactionId":"P1"}'),
    *(b'{"transactionId":"P1","a":NaN}', b'{"transactionId":"P1"}x', b'\xef\xbb\xbf{"transactionId":"P1"}'),
    *(b"\xff\xfe", b'{"transactionId":"\xff"}', '{"transactionId":"P1"}'.encode("utf-16"), b'{"a":"\xed\xa0\x80"}'),
    *(b"[" * 100_000, b'{"a":' * 100_000, b"1" * 5000, b'{"transactionId":"P1","a":' + b"1" * 5000 + b"}"),
]


@pytest.mark.parametrize("body", MALFORMED)
def test_what_is_no_notice_is_malformed(body: bytes) -> None:
    with pytest.raises(NoticeMalformed):
        read(body)
    assert isinstance(json.loads(stored(body)), dict)


def test_a_delivery_of_nothing_is_malformed() -> None:
    with pytest.raises(NoticeMalformed):
        read()


@given(st.binary(min_size=1))
def test_any_body_is_a_hint_or_malformed(body: bytes) -> None:
    with pytest.raises(NoticeMalformed):
        read(body)


# --- What is kept -----------------------------------------------------------------------------------------------------


def test_of_an_ipn_its_order_is_kept_and_not_our_account() -> None:
    assert json.loads(stored(query=f"url={REAL}")) == {"orderId": REFERENCE}
    assert json.loads(stored(query="url=http://evil.example/03001234567")) == {}


def test_of_a_return_its_order_is_kept() -> None:
    assert json.loads(stored(query=f"status=0000&orderRefNumber={REFERENCE}&phone={PHONE}")) == {"orderId": REFERENCE}


def test_of_the_guides_notice_nothing_personal_is_kept() -> None:
    body = {
        "transactionId": REFERENCE,
        "transactionStatus": "success",
        "msisdn": PHONE,
        "mobileNumber": PHONE,
        "account_number": ACCOUNT,
        "accountNum": int(ACCOUNT),
        "nested": {"phone": PHONE},
        PHONE: "a name that is a phone",
    }
    assert json.loads(stored(json.dumps(body).encode())) == {
        "transactionId": REFERENCE,
        "transactionStatus": "success",
        **dict.fromkeys(("msisdn", "mobileNumber", "account_number", "accountNum", "nested"), "***"),
    }


@given(
    st.dictionaries(
        st.sampled_from(["msisdn", "mobile", "account", "x", "transactionRefId", "transactionStatus", "responseCode"]),
        st.just(PHONE),
    )
)
def test_no_phone_is_kept(fields: dict[str, str]) -> None:
    assert PHONE.encode() not in stored(json.dumps(fields).encode())


def test_what_was_kept_proves_nothing() -> None:
    body = stored(json.dumps({"transactionId": REFERENCE, "transactionStatus": "success"}).encode())
    with pytest.raises(NoticeMalformed):
        PROVIDER.parse_stored(body)
