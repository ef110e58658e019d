from hashlib import sha256
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payproc.providers.jazz_cash.signature import (
    SECURE_HASH,
    guide_form_digest,
    guide_inquiry_digest,
    secure_hash,
    sign,
    verified,
)
from payproc.providers.jazz_cash.values import is_plain

SALT = "TESTSALT01"
ACCOUNT = {"pp_MerchantID": "MC00001", "pp_Password": "pw12345678"}

# P1 to P3 are printed in the gateway's own guides, P4 is the sample of its notification, with its blanks and nulls.
PUBLISHED = [
    (
        "0F5DD14AE2",
        {"pp_OrderInfo": "A48cvE28", "pp_MerchantID": "MER123", "pp_Amount": "2995"},
        "c7689cda7474eb1adcd343fd0c0b676bad0ba66361cc46db589bdb0da4c1c867",
    ),
    (
        "abcd1234efgh5678ijkl9012mnop3456",
        {
            "pp_TxnRefNo": "T20251020210000",
            "pp_TxnDateTime": "20251020210000",
            "pp_TxnCurrency": "PKR",
            "pp_MerchantID": "MC000000",
            "pp_BillReference": "B20251020210000",
            "pp_Amount": "100",
        },
        "7F5E94F96F2EDFBA53A75B0D9E0241AC93BE2FE24134E0D11F73C4A0234A373C",
    ),
    (
        "3vv9wu3a18",
        {
            "pp_Amount": "25000",
            "pp_MerchantID": "MC25041",
            "pp_MerchantMPIN": "1234",
            "pp_Password": "sz1v4agvyf",
            "pp_TxnCurrency": "PKR",
            "pp_TxnRefNo": "T20220518150213",
        },
        "2C595361C2DA0E502D18BFBAA92CF4740330215E5E8AD0CF4489A64E7400B117",
    ),
    (
        "0123456789",
        {
            "pp_Version": "2.0",
            "pp_TxnType": "MWALLET",
            "pp_BankID": "",
            "pp_ProductID": None,
            "pp_Password": "0123456789",
            "pp_TxnRefNo": "T20240418145702",
            "pp_TxnDateTime": "20240418145702",
            "pp_ResponseCode": "121",
            "pp_ResponseMessage": "Transaction has been marked confirmed by Merchant.",
            "pp_AuthCode": "060935465981",
            "pp_SettlementExpiry": None,
            "pp_RetreivalReferenceNo": "240418718258",
        },
        "2B47BCF7825FA27FC8B522292BC8D226213FCCDA685FC68A67EC20B10836E5B7",
    ),
]
ORDINAL = {
    "pp_Amount": "100",
    "pp_CNIC": "4210112345678",
    "pp_MPIN": "4444",
    "pp_MerchantID": "MC00001",
    "pp_MobileNumber": "03123456789",
    "pp_Password": "pw12345678",
    "pp_TxnRefNo": "T1",
}

names = st.from_regex(r"pp(_[A-Z][A-Za-z]{0,8}|mpf_[1-5])", fullmatch=True).filter(lambda name: name != SECURE_HASH)
filled = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="&"), min_size=1, max_size=12)
messages = st.dictionaries(names, filled, min_size=1, max_size=8)
blanks = st.sampled_from([None, "", " ", "\t "])


@pytest.mark.parametrize(("salt", "fields", "digest"), PUBLISHED)
def test_a_published_vector_is_reproduced_and_verified(salt: str, fields: dict[str, str | None], digest: str) -> None:
    assert secure_hash(fields, salt) == digest.upper()
    assert verified(fields | {SECURE_HASH: digest}, salt)


def test_names_are_sorted_by_their_bytes_and_not_as_a_reader_would() -> None:
    assert secure_hash(ORDINAL, SALT) == "6633558F6A44ADD85277629119AF6E950474A390705FEE7D583E5F068E692CF9"


def test_an_acknowledgement_has_the_guides_hash() -> None:
    fields = {"pp_ResponseCode": "000", "pp_ResponseMessage": "IPN received successfully"}
    assert secure_hash(fields, SALT) == "9219900DA9DEB541152F9063EF850EDE51BAD54981833547A4CDA3E9EE6C4CDA"


@given(messages, st.randoms())
def test_the_order_of_the_fields_never_matters(fields: dict[str, str], random: Random) -> None:
    shuffled = list(fields.items())
    random.shuffle(shuffled)
    assert secure_hash(dict(shuffled), SALT) == secure_hash(fields, SALT)


@given(messages, st.dictionaries(names, blanks, max_size=5))
def test_blanks_never_matter(fields: dict[str, str], empty: dict[str, str | None]) -> None:
    assert secure_hash({**empty, **fields}, SALT) == secure_hash(fields, SALT)


@given(messages, st.dictionaries(st.sampled_from(["other", "Pp_Amount", "PP_AMOUNT", SECURE_HASH]), filled))
def test_names_that_do_not_begin_with_pp_never_matter(fields: dict[str, str], others: dict[str, str]) -> None:
    assert secure_hash(fields | others, SALT) == secure_hash(fields, SALT)


@given(messages, filled, st.data())
def test_any_changed_value_changes_the_hash(fields: dict[str, str], value: str, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(fields)))
    same = value == fields[name]
    assert (secure_hash(fields | {name: value}, SALT) == secure_hash(fields, SALT)) is same
    assert verified(sign(fields, SALT) | {name: value}, SALT) is same


@given(messages, filled)
def test_another_salt_is_another_hash(fields: dict[str, str], salt: str) -> None:
    assert verified(sign(fields, SALT), salt) is (salt == SALT)


@given(messages)
def test_the_hash_may_come_in_either_case(fields: dict[str, str]) -> None:
    hashed = sign(fields, SALT)
    assert verified(hashed, SALT)
    assert verified(hashed | {SECURE_HASH: hashed[SECURE_HASH].lower()}, SALT)


@pytest.mark.parametrize(
    "given_hash", [None, "", " ", "0" * 64, "é" * 64, "\ud800", "\u0661" * 64, 0, True, [], {}, ["A"]]
)
def test_what_is_no_hash_proves_nothing(given_hash: object) -> None:
    assert not verified(ACCOUNT | {SECURE_HASH: given_hash}, SALT)
    assert not verified(ACCOUNT, SALT)
    assert not verified({SECURE_HASH: given_hash}, SALT)


def test_an_empty_salt_neither_signs_nor_proves() -> None:
    with pytest.raises(ValueError, match="empty salt"):
        secure_hash(ACCOUNT, "")
    assert not verified(ACCOUNT | {SECURE_HASH: secure_hash(ACCOUNT, "x")}, "")
    assert not verified({SECURE_HASH: ""}, "")


@pytest.mark.parametrize("value", [1, 1.5, True, [], {}, ["a"], "\ud800"])
def test_what_is_no_text_was_signed_by_nobody(value: object) -> None:
    fields = ACCOUNT | {"pp_Amount": value}
    assert not verified(fields | {SECURE_HASH: "0" * 64}, SALT)


@given(st.text())
def test_a_value_that_could_be_split_or_encoded_otherwise_is_not_signed(value: str) -> None:
    plain = all(" " <= letter <= "~" and letter != "&" for letter in value)
    assert is_plain(value) is plain
    if plain:
        assert verified(sign({"pp_Description": value}, SALT), SALT)
        return
    with pytest.raises(ValueError, match="cannot be signed: pp_Description") as refused:
        sign({"pp_Description": value, "pp_Amount": "1"}, SALT)
    assert str(refused.value) == "cannot be signed: pp_Description"


def test_values_keep_their_hash_under_other_names_so_a_hash_alone_proves_nothing() -> None:
    honest = sign({"pp_Amount": "121", "pp_BillReference": "P1"}, SALT)
    renamed = {"pp_ResponseCode": "121", "pp_TxnRefNo": "P1", SECURE_HASH: honest[SECURE_HASH]}
    assert verified(renamed, SALT)


def test_the_guides_digests_are_its_own() -> None:
    form = guide_form_digest(
        merchant_id="MC00001", auth_code="AUTH_20260901120000", amount="125050", password="pw12345678"
    )
    assert form == "3e29a8b6dbbdf2b6ec9a8ac14555b518fb4c226611095e5a664ac40f0911510a"
    inquiry = guide_inquiry_digest(merchant_id="MC00001", reference="T20260901120000001", password="pw12345678")
    assert inquiry == "c04a565ecfe6b082e739dcc93612134b5e5dfb0b6ef5ea4fefa24b247cab75e2"


@given(st.from_regex(r"[0-9]{2,9}", fullmatch=True), st.data())
def test_a_digit_moved_across_the_guides_missing_border_keeps_its_digest(amount: str, data: st.DataObject) -> None:
    cut = data.draw(st.integers(1, len(amount) - 1))
    asked = guide_form_digest(merchant_id="MC1", auth_code="AUTH_1", amount=amount, password="pw")
    moved = guide_form_digest(merchant_id="MC1", auth_code=f"AUTH_1{amount[:cut]}", amount=amount[cut:], password="pw")
    assert moved == asked == sha256(f"MC1AUTH_1{amount}pw".encode()).hexdigest()
