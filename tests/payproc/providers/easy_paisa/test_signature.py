import base64
import itertools
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from payproc.errors import SettingsInvalid
from payproc.providers.easy_paisa import signature
from payproc.providers.easy_paisa.envelope import Envelope, NotSigned
from payproc.providers.transport import strict_json
from tests.payproc.providers.easy_paisa.merchant import GATEWAY_KEY, OUR_KEY, private_pem, public_pem

KEY = b"ABCDEFGHIJKLMNOP"

E1 = {
    "amount": "10.0",
    "autoRedirect": "0",
    "expiryDate": "20150101 151515",
    "orderRefNum": "11001",
    "postBackURL": "http://localhost:9081/local/status.php",
    "storeId": "28",
}
E1_HASHED = (
    "KF1v5+zEuWD4gjNV6Jog6cIUkKEcdfsMvLlJRDIo9ZHrx/W1M/ng14TNKaANwq1M34E5H/buXo099WZx6oCBZXLILwPY2/lrg9Fch+Rc8cBhV6Djh5"
    "zhV3FA+nx5E4AAuTVzSy6itH1zmMnfyHn40nd6TnkEMsiJBAWe/R5V2QhqgIvmZWCH+kY0+HUqaDGv"
)
E2 = {
    "amount": "1250.5",
    "autoRedirect": "1",
    "emailAddr": "buyer@example.com",
    "expiryDate": "20260901 235959",
    "mobileNum": "03001234567",
    "orderRefNum": "ORD0000000001",
    "paymentMethod": "MA_PAYMENT_METHOD",
    "postBackURL": "https://shop.example/pay/easypaisa/return",
    "storeId": "1234",
}
E2_HASHED = (
    "y36UY+cWyjnF1aIWSWnwC6euLkmnDd1Lyp9i6whY/6iN17QJbGBOwu+tOLdrATHdS+XrzVDynB8Kzr4Kv7Zf3dHQmrGpKOOGca7Ci/kBDiKAUr+qdX"
    "mnqtpQGBVeMSj8QkrNBDlyVVL8X4ExUIHBO3CDlH6qJdufSLG/9ES7EFyPfhFI/TeMAW+l0ql8xlcU1Y+UamhzDDUHxdP4HQpF0RTHjmtE4HZq8sZU"
    "tnUHXnNERUy48oE8jjQeo94t8ITH2N8TzJLFRGcKMqtEsw/JsJy2eYMwhDvhAPSH1W/4hRYSt+9FD+TRfS/+MQOss8QM"
)
FIELDS = st.dictionaries(
    st.text(alphabet="abcdefgXYZ", min_size=1, max_size=5), st.text(max_size=10).map(lambda text: text.replace("&", ""))
)


def decrypted(hashed: str, key: bytes = KEY) -> str:
    decryptor = Cipher(algorithms.AES(key), modes.ECB()).decryptor()  # noqa: S305 (the gateway's choice)
    plain = decryptor.update(base64.b64decode(hashed)) + decryptor.finalize()
    return plain[: -plain[-1]].decode()


@pytest.mark.parametrize(("fields", "hashed"), [(E1, E1_HASHED), (E2, E2_HASHED)])
def test_the_known_forms_have_their_known_hash(fields: dict[str, str], hashed: str) -> None:
    assert signature.merchant_hashed_req(fields, KEY) == hashed
    assert decrypted(hashed) == "&".join(f"{name}={value}" for name, value in fields.items())


@given(st.permutations(sorted(E2.items())))
def test_the_order_of_the_fields_does_not_matter(items: list[tuple[str, str]]) -> None:
    assert signature.merchant_hashed_req(dict(items), KEY) == E2_HASHED


@given(FIELDS)
def test_the_hashed_text_is_the_sorted_fields_that_are_not_blank(fields: dict[str, str]) -> None:
    expected = "&".join(f"{name}={fields[name]}" for name in sorted(fields) if fields[name])
    assert decrypted(signature.merchant_hashed_req(fields, KEY)) == expected


def test_blanks_and_an_old_hash_are_left_out() -> None:
    assert signature.merchant_hashed_req(E2 | {"bankIdentifier": "", "merchantHashedReq": "x"}, KEY) == E2_HASHED


@pytest.mark.parametrize("name", sorted(E2))
def test_any_changed_value_changes_the_hash(name: str) -> None:
    assert signature.merchant_hashed_req(E2 | {name: E2[name] + "1"}, KEY) != E2_HASHED


def test_a_value_that_could_pass_for_two_fields_is_refused() -> None:
    with pytest.raises(ValueError, match="&"):
        signature.merchant_hashed_req(E1 | {"amount": "10.0&autoRedirect=1"}, KEY)


@pytest.mark.parametrize("length", [16, 24, 32])
def test_a_hash_key_is_as_long_as_aes_allows(length: int) -> None:
    assert decrypted(signature.merchant_hashed_req(E1, signature.aes_key("k" * length)), b"k" * length)


@pytest.mark.parametrize("text", ["", "short", "k" * 15, "k" * 17, "k" * 33, "\u06a9" * 16 + "k"])
def test_any_other_hash_key_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(SettingsInvalid) as refused:
        signature.aes_key(text)
    assert not text or text not in str(refused.value)


SMALL = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 (it must be refused)
CURVE = ec.generate_private_key(ec.SECP256R1())


def curve_pem() -> str:
    return CURVE.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def encrypted_pem() -> str:
    locked = serialization.BestAvailableEncryption(b"x")
    return OUR_KEY.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked).decode()


@pytest.mark.parametrize(
    "pem",
    ["", "no key", private_pem(OUR_KEY)[:200], public_pem(OUR_KEY), private_pem(SMALL), curve_pem(), encrypted_pem()],
    # Named: each run makes other keys, and the two halves of a run must see the same tests.
    ids=["empty", "words", "half", "public", "small", "curve", "encrypted"],
)
def test_what_is_no_private_key_is_refused_without_being_shown(pem: str) -> None:
    with pytest.raises(SettingsInvalid) as refused:
        signature.private_key(pem)
    assert "EASY_PAISA_PRIVATE_KEY" in str(refused.value)
    assert pem[40:80] == "" or pem[40:80] not in str(refused.value)


@pytest.mark.parametrize(
    "pem",
    ["", "no key", public_pem(OUR_KEY)[:100], private_pem(OUR_KEY), public_pem(SMALL)],
    ids=["empty", "words", "half", "private", "small"],
)
def test_what_is_no_public_key_is_refused(pem: str) -> None:
    with pytest.raises(SettingsInvalid, match="EASY_PAISA_PUBLIC_KEY"):
        signature.public_key(pem)


@given(st.text())
def test_a_signature_is_of_exactly_one_text(text: str) -> None:
    text = text.encode("utf-8", "ignore").decode()
    made = signature.signed(text, OUR_KEY)
    assert signature.verifies(text, made, OUR_KEY.public_key())
    assert not signature.verifies(text + " ", made, OUR_KEY.public_key())
    assert not signature.verifies(text, made, GATEWAY_KEY.public_key())


@pytest.mark.parametrize("claimed", ["", "AAAA", "no base64!", "\u0627", "AAA", "=" * 344, "A" * 344])
def test_what_is_no_signature_verifies_nothing(claimed: str) -> None:
    assert not signature.verifies("text", claimed, OUR_KEY.public_key())


# --- The envelope -----------------------------------------------------------------------------------------------------

OURS = Envelope(ours=OUR_KEY, theirs=GATEWAY_KEY.public_key())


PLAIN = '{"response":INNER,"signature":"SIGNATURE"}'


def enveloped(inner: str, *, around: str = PLAIN, signed: str | None = None) -> str:
    made = signature.signed(inner if signed is None else signed, GATEWAY_KEY)
    return around.replace("INNER", inner).replace("SIGNATURE", made)


def test_what_we_send_is_what_we_signed() -> None:
    sent = OURS.sealed({"orderId": "P1", "transactionAmount": "1250.50", "emailAddress": "\u0627@example.com"}).decode()
    inner = sent.removeprefix('{"request":').partition(',"signature":')[0]
    assert inner == '{"orderId":"P1","transactionAmount":"1250.50","emailAddress":"\\u0627@example.com"}'
    assert signature.verifies(inner, json.loads(sent)["signature"], OUR_KEY.public_key())


INNERS = [
    '{"orderId":"P1","transactionAmount":3000}',
    '{ "orderId" : "P1",\n\t"transactionAmount" : 3000.00 }',
    '{"transactionAmount":3.0E+3,"orderId":"P1"}',
    r'{"orderId":"\u00501","responseDesc":"a \"}\" , {\\ \/ "}',
    '{"orderId":"P1","inner":{"response":{"a":[{},"]}"]}},"responseDesc":"\u0627"}',
    "{}",
]
AROUND = [
    PLAIN,
    '{"signature":"SIGNATURE","response":INNER}',
    ' { "a" : {"response":{"orderId":"P9"}} ,\r\n"response" :\tINNER  ,"signature": "SIGNATURE" , "n":null }\n',
]


@pytest.mark.parametrize(("inner", "around"), list(itertools.product(INNERS, AROUND)))
def test_a_reply_is_believed_however_it_is_written(inner: str, around: str) -> None:
    assert OURS.opened(enveloped(inner, around=around)) == strict_json.parsed_object(inner)


@given(st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5) | st.none(), max_size=4), st.booleans())
def test_a_reply_is_believed_only_as_it_was_signed(fields: dict[str, Any], escaped: bool) -> None:
    inner = json.dumps(fields, ensure_ascii=escaped, indent=2).encode("utf-8", "ignore").decode()
    assert OURS.opened(enveloped(inner)) == json.loads(inner)
    with pytest.raises(NotSigned):
        OURS.opened(enveloped(inner.replace("{", "{ ", 1), signed=inner))


PENDING, PAID = '{"transactionStatus":"PENDING"}', '{"transactionStatus":"PAID"}'


@pytest.mark.parametrize(
    "text",
    [
        enveloped(PAID, signed=PENDING),
        enveloped(PENDING, around='{"response":' + PAID + ',"response":INNER,"signature":"SIGNATURE"}'),
        enveloped(PENDING, around='{"response":INNER,"response":' + PAID + ',"signature":"SIGNATURE"}'),
        enveloped(PENDING, around='{"response":INNER,"\\u0072esponse":' + PAID + ',"signature":"SIGNATURE"}'),
        enveloped(PENDING, around='{"response":INNER,"signature":"x","signature":"SIGNATURE"}'),
        enveloped(PENDING, around='{"Response":INNER,"signature":"SIGNATURE"}'),
        enveloped(PENDING, around='{"inner":{"response":INNER,"signature":"SIGNATURE"}}'),
        enveloped(PENDING, around='{"response":' + PAID + ',"a":INNER,"signature":"SIGNATURE"}'),
        enveloped('{"transactionStatus":"PAID","transactionStatus":"FAILED"}'),
        enveloped('"PAID"'),
        enveloped("[]"),
        enveloped("null"),
        enveloped("1"),
        f'{{"response":{PAID}}}',
        f'{{"response":{PAID},"signature":""}}',
        f'{{"response":{PAID},"signature":null}}',
        f'{{"response":{PAID},"signature":[]}}',
        f'{{"response":{PAID},"signature":"{signature.signed(PAID, OUR_KEY)}"}}',
        *("", "{}", "[]", "null", "{", '{"responseCode":"0000","transactionStatus":"PAID"}', '{"response":' * 100_000),
    ],
)
def test_a_reply_that_nobody_signed_as_it_came_is_not_believed(text: str) -> None:
    with pytest.raises(NotSigned):
        OURS.opened(text)


def test_keys_are_read_from_pem() -> None:
    ours = Envelope.from_pem(private_key=private_pem(OUR_KEY), public_key=public_pem(GATEWAY_KEY))
    assert ours.opened(enveloped(PAID)) == {"transactionStatus": "PAID"}
    assert ours.sealed({"a": 1}) == OURS.sealed({"a": 1})
