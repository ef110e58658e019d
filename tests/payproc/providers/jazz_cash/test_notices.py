import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from payproc.domain.money import Money
from payproc.domain.references import Reference
from payproc.errors import BadSignature, NoticeMalformed
from payproc.providers.answers import Verdict
from payproc.providers.jazz_cash.provider import JazzCashProvider
from payproc.providers.jazz_cash.signature import SECURE_HASH, secure_hash, verified
from payproc.providers.notices import Hint, Notice, Proven, RawNotice
from payproc.providers.requests import StartRequest
from tests.support.contract.harness import read_notice

REFERENCE = "T20260901120000001"
REAL = {"hosted-1.1", "hosted-2.0", "mwallet-1.1", "mwallet-2.0"}

Signed = Callable[[Mapping[str, str]], dict[str, str]]
MakeRaw = Callable[[Mapping[str, Any]], RawNotice]

IPN = {
    "pp_Version": "2.0",
    "pp_TxnType": "MWALLET",
    "pp_BankID": "",
    "pp_Password": "pw12345678",
    "pp_TxnRefNo": REFERENCE,
    "pp_TxnDateTime": "20260901120000",
    "pp_ResponseCode": "121",
    "pp_ResponseMessage": "Transaction has been marked confirmed by Merchant.",
    "pp_AuthCode": "060935465981",
    "pp_RetreivalReferenceNo": "240418718258",
}
RETURN = {
    "pp_Amount": "125050",
    "pp_AuthCode": "",
    "pp_BankID": "",
    "pp_BillReference": REFERENCE,
    "pp_Language": "EN",
    "pp_MerchantID": "MC00001",
    "pp_ResponseCode": "000",
    "pp_ResponseMessage": "Thank you for using JazzCash.",
    "pp_RetreivalReferenceNo": "240418718258",
    "pp_SettlementExpiry": "",
    "pp_SubMerchantId": "",
    "pp_TxnCurrency": "PKR",
    "pp_TxnDateTime": "20260901120000",
    "pp_TxnRefNo": REFERENCE,
    "pp_TxnType": "MWALLET",
    "pp_Version": "1.1",
    **{f"{prefix}_{number}": "" for prefix in ("ppmbf", "ppmpf") for number in range(1, 6)},
}


@pytest.fixture(scope="session")
def notice(provider: JazzCashProvider) -> Callable[[RawNotice], Notice]:
    def read(raw: RawNotice) -> Notice:
        told = read_notice(provider, raw)
        assert isinstance(told, Notice)
        return told

    return read


Read = Callable[[RawNotice], Notice]
Answer = Callable[[RawNotice], Mapping[str, str] | None]


@pytest.fixture(scope="session")
def answer_to(provider: JazzCashProvider) -> Answer:
    def answered(raw: RawNotice) -> Mapping[str, str] | None:
        verified = provider.verify_notice(raw).notice
        assert isinstance(verified, Proven)
        return verified.answer

    return answered


def test_a_notification_is_paid_without_an_amount_and_wants_a_signed_answer(
    notice: Read, answer_to: Answer, signed: Signed, as_json: MakeRaw
) -> None:
    raw = as_json({**signed(IPN), "pp_ProductID": None, "pp_SettlementExpiry": None})
    told = notice(raw)
    assert (told.kind, told.reference, told.payment_id) == ("jazz_cash.ipn", REFERENCE, None)
    assert told.references == {Reference.JAZZ_CASH: REFERENCE}
    assert told.dialects == REAL
    assert (told.outcome.verdict, told.outcome.money, told.outcome.live_mode) == (Verdict.PAID, None, False)
    assert told.outcome.receipt == "240418718258"
    assert answer_to(raw) == {
        "pp_ResponseCode": "000",
        "pp_ResponseMessage": "IPN received successfully",
        SECURE_HASH: "9219900DA9DEB541152F9063EF850EDE51BAD54981833547A4CDA3E9EE6C4CDA",
    }


def test_the_guides_published_sample_is_read_as_paid(
    make_provider: Callable[..., JazzCashProvider], as_json: MakeRaw
) -> None:
    sample = {
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
        SECURE_HASH: "2B47BCF7825FA27FC8B522292BC8D226213FCCDA685FC68A67EC20B10836E5B7",
    }
    told = read_notice(make_provider(integrity_salt="0123456789", password="0123456789"), as_json(sample))
    assert isinstance(told, Notice)
    assert (told.reference, told.outcome.verdict) == ("T20240418145702", Verdict.PAID)


def test_a_return_is_paid_with_its_amount_and_wants_no_words(
    notice: Read, answer_to: Answer, signed: Signed, as_form: MakeRaw
) -> None:
    raw = as_form(signed(RETURN))
    told = notice(raw)
    assert (told.kind, told.reference, answer_to(raw)) == ("jazz_cash.return", REFERENCE, None)
    assert (told.outcome.verdict, told.outcome.money) == (Verdict.PAID, Money.of(125050, "pkr"))


def test_a_notification_may_come_as_a_form_too(
    notice: Read, answer_to: Answer, signed: Signed, as_form: MakeRaw
) -> None:
    raw = as_form(signed(IPN))
    told = notice(raw)
    assert (told.kind, told.outcome.verdict) == ("jazz_cash.ipn", Verdict.PAID)
    assert answer_to(raw) is not None


def test_a_byte_order_mark_is_read_over(notice: Read, signed: Signed, as_json: MakeRaw) -> None:
    raw = as_json(signed(IPN))
    assert notice(replace(raw, body=b"\xef\xbb\xbf" + raw.body)).kind == "jazz_cash.ipn"


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        ("121", Verdict.PAID),
        ("000", Verdict.PAID),
        ("157", Verdict.PENDING),
        ("059", Verdict.DECLINED),
        ("112", Verdict.CANCELLED),
        ("129", Verdict.EXPIRED),
        ("131", Verdict.REVERSED),
        ("199", Verdict.UNKNOWN),
        ("999", Verdict.UNKNOWN),
        ("134", Verdict.UNKNOWN),
        ("101", Verdict.UNKNOWN),
        ("555", Verdict.UNKNOWN),
        ("", Verdict.UNKNOWN),
    ],
)
def test_a_notifications_code_means_what_the_table_says(
    notice: Read, signed: Signed, as_json: MakeRaw, code: str, wanted: Verdict
) -> None:
    assert notice(as_json(signed(IPN | {"pp_ResponseCode": code}))).outcome.verdict is wanted


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"pp_ResponseCode": "121"}, Verdict.UNKNOWN),
        ({"pp_ResponseCode": "124"}, Verdict.PENDING),
        ({"pp_ResponseCode": "059"}, Verdict.DECLINED),
        ({"pp_ResponseCode": "199"}, Verdict.UNKNOWN),
        ({"pp_Amount": ""}, Verdict.UNKNOWN),
        ({"pp_Amount": "1250.50"}, Verdict.UNKNOWN),
        ({"pp_TxnCurrency": "XYZ"}, Verdict.UNKNOWN),
    ],
)
def test_a_returns_code_means_what_the_table_says(
    notice: Read, signed: Signed, as_form: MakeRaw, changes: dict[str, str], wanted: Verdict
) -> None:
    assert notice(as_form(signed(RETURN | changes))).outcome.verdict is wanted


def test_another_amount_is_told_as_it_is(notice: Read, signed: Signed, as_form: MakeRaw) -> None:
    outcome = notice(as_form(signed(RETURN | {"pp_Amount": "00100"}))).outcome
    assert (outcome.verdict, outcome.money) == (Verdict.PAID, Money.of(100, "pkr"))


def test_the_live_account_speaks_of_real_money(
    make_provider: Callable[..., JazzCashProvider], signed: Signed, as_json: MakeRaw
) -> None:
    told = read_notice(make_provider(live_mode=True), as_json(signed(IPN)))
    assert isinstance(told, Notice)
    assert told.outcome.live_mode is True


@pytest.mark.parametrize("given_hash", ["", " ", "0" * 64, "\u0661" * 64, None])
@pytest.mark.parametrize("fields", [IPN, RETURN, {"pp_TxnRefNo": REFERENCE}, {"pp_TxnRefNo": "T", "pp_txn_id": "T"}])
def test_a_delivery_without_its_hash_is_refused(
    provider: JazzCashProvider, as_json: MakeRaw, fields: dict[str, str], given_hash: str | None
) -> None:
    for body in (fields, fields | {SECURE_HASH: given_hash}):
        with pytest.raises(BadSignature):
            provider.verify_notice(as_json(body))


def test_another_accounts_hash_is_refused(
    make_provider: Callable[..., JazzCashProvider], signed: Signed, as_json: MakeRaw
) -> None:
    with pytest.raises(BadSignature):
        read_notice(make_provider(integrity_salt="OTHERSALT"), as_json(signed(IPN)))


def test_another_merchants_name_under_our_salt_is_refused(
    provider: JazzCashProvider, signed: Signed, as_form: MakeRaw
) -> None:
    with pytest.raises(BadSignature):
        read_notice(provider, as_form(signed(RETURN | {"pp_MerchantID": "MC2"})))


@given(st.sampled_from(sorted(IPN)), st.text())
def test_any_changed_value_of_a_notification_is_refused(
    provider: JazzCashProvider, signed: Signed, as_json: MakeRaw, name: str, value: str
) -> None:
    changed = signed(IPN) | {name: value}
    if value == IPN[name] or not (value.strip() or IPN[name]):
        assert isinstance(read_notice(provider, as_json(changed)), Notice)
        return
    with pytest.raises((BadSignature, NoticeMalformed)):
        read_notice(provider, as_json(changed))


HOSTILE = [
    *(b"", b"[]", b"null", b"true", b"1", b'"pp_TxnRefNo"', b"{}", b"{", b"NaN", b"=", b"&", b"a", b"\x00"),
    *(b"[" * 100_000, b'{"a":' * 100_000, b"1" * 5000, b"a=1&" * 1000, b"pp_TxnRefNo"),
    *(b"\xff\xfe", b"\x80{}", b'{"pp_txn_id":"\xed\xa0\x80"}', b"pp_txn_id=%ff", b"pp_txn_id=%00"),
    b'{"pp_response_code": "000"}',
    b'{"pp_ResponseCode": "000"}',
    b"pp_response_code=000",
    *(
        b'{"pp_txn_id": %s}' % value
        for value in (b"null", b'""', b'" "', b"7", b"true", b"[]", b"{}", b'["P1"]', b"NaN")
    ),
    *(b'{"pp_TxnRefNo": %s}' % value for value in (b"null", b'""', b'" "', b"7", b"true", b"[]", b"{}", b'["P1"]')),
    *(
        b'{"pp_txn_id": "%s"}' % value
        for value in (b"P/1", b"P 1", b"P" * 65, b"P1\\u0000", b"\\ud800", b"\\u0661", b"%")
    ),
    b'{"pp_txn_id": "P1", "pp_txn_id": "P2"}',
    b'{"pp_txn_id": "P1", "pp_txn_id": "P1"}',
    b'{"pp_txn_id": "P1", "pp_amount": 125050}',
    b'{"pp_txn_id": "P1", "more": {"pp_txn_id": "P2"}}',
    b'{"pp_txn_id": "P1", "more": []}',
    b'{"pp_txn_id": "P1", "more": "\\u0000"}',
    b'{"pp_txn_id": "P1", "more": "\\ud800"}',
    b'{"pp_txn_id": "P1", "\\udfff": "more"}',
    b'{"pp_txn_id": "P1"} {"pp_txn_id": "P2"}',
    b'{"pp_TxnRefNo": "P1", "pp_SecureHash": {"a": 1}}',
    b'{"pp_SecureHash": "00"}',
    b"pp_txn_id=P1&pp_txn_id=P2",
    b"pp_TxnRefNo=P1&pp_TxnRefNo=P1",
    b"pp_txn_id=P1&more",
]


@pytest.mark.parametrize("body", HOSTILE)
def test_what_is_no_delivery_is_malformed(provider: JazzCashProvider, as_json: MakeRaw, body: bytes) -> None:
    raw = replace(as_json({}), body=body)
    with pytest.raises(NoticeMalformed):
        provider.verify_notice(raw)


def test_a_name_that_occurs_twice_is_malformed_though_one_of_both_was_signed(
    provider: JazzCashProvider, signed: Signed, as_json: MakeRaw
) -> None:
    raw = as_json(signed(IPN))
    twice = raw.body[:-1] + b', "pp_ResponseCode": "000"}'
    with pytest.raises(NoticeMalformed):
        read_notice(provider, replace(raw, body=twice))


def test_a_signed_delivery_that_names_no_payment_of_our_kind_is_malformed(
    provider: JazzCashProvider, signed: Signed, as_json: MakeRaw
) -> None:
    for reference in ("", "T-1", "T" * 21):
        with pytest.raises(NoticeMalformed):
            read_notice(provider, as_json(signed(IPN | {"pp_TxnRefNo": reference})))


@given(st.binary())
@example(b'{"pp_txn_id": "P1"}')
@example(b"pp_txn_id=P1")
def test_no_bytes_without_the_salt_are_more_than_a_hint(
    provider: JazzCashProvider, as_json: MakeRaw, body: bytes
) -> None:
    raw = replace(as_json({}), body=body)
    try:
        told = read_notice(provider, raw)
    except (NoticeMalformed, BadSignature):
        return
    assert isinstance(told, Hint)


def test_the_guides_notification_is_a_hint_whatever_it_claims(provider: JazzCashProvider, as_json: MakeRaw) -> None:
    for code in ("000", "059", ""):
        raw = as_json({"pp_txn_id": REFERENCE, "pp_response_code": code, "pp_amount": "125050"})
        told = read_notice(provider, raw)
        assert told == Hint(
            kind="jazz_cash.guide",
            reference=REFERENCE,
            references={Reference.JAZZ_CASH: REFERENCE},
            answer={"status": "received"},
        )
        with pytest.raises(NoticeMalformed):
            provider.parse_stored(provider.verify_notice(raw).redacted)


# The hash forgets the names: these are the ways in which a customer, who holds one signed form or return, could give
# its values other names. None of them may pay.


def renamed(message: Mapping[str, str], names: list[str]) -> dict[str, str]:
    """Give a signed message's values other names, in their order, so that its hash still fits."""
    values = [message[name] for name in sorted(message) if message[name] and name != SECURE_HASH]
    stolen = dict(zip(names, values, strict=True)) | {SECURE_HASH: message[SECURE_HASH]}
    assert verified(stolen, "TESTSALT01")
    return stolen


def invented(count: int) -> list[str]:
    """Name the first value as the code, and all but the last three as what nobody has published."""
    between = [f"pp_S{number:02}" for number in range(count - 4)]
    return ["pp_ResponseCode", *between, "pp_TxnRefNo", "pp_TxnType", "pp_Version"]


@pytest.fixture(scope="session")
def form_over_a_code(provider: JazzCashProvider, request_in: Callable[..., StartRequest]) -> Mapping[str, str]:
    # Rs 1.21: the amount itself reads as the code of success.
    return provider.form(request_in("hosted-1.1", money=Money.of(121, "pkr"))).fields


def test_our_own_form_posted_back_under_other_names_pays_nothing(
    notice: Read, as_json: MakeRaw, as_form: MakeRaw, form_over_a_code: Mapping[str, str]
) -> None:
    stolen = renamed(form_over_a_code, invented(13))
    assert (stolen["pp_ResponseCode"], stolen["pp_TxnRefNo"]) == ("121", REFERENCE)
    for raw in (as_json(stolen), as_form(stolen)):
        assert notice(raw).outcome.verdict is Verdict.UNKNOWN


def test_our_own_form_with_its_values_merged_under_published_names_pays_nothing(
    notice: Read, as_json: MakeRaw, form_over_a_code: Mapping[str, str]
) -> None:
    stolen = renamed(form_over_a_code, invented(13))
    hidden = "&".join(stolen.pop(name) for name in sorted(stolen) if name.startswith("pp_S0"))
    merged = stolen | {"pp_ResponseMessage": hidden}
    assert verified(merged, "TESTSALT01")
    assert notice(as_json(merged)).outcome.verdict is Verdict.UNKNOWN


def test_a_failed_return_of_a_payment_over_a_code_pays_nothing_under_other_names(
    notice: Read, signed: Signed, as_json: MakeRaw
) -> None:
    failed = signed(RETURN | {"pp_Amount": "121", "pp_ResponseCode": "199"})
    assert notice(as_json(renamed(failed, invented(12)))).outcome.verdict is Verdict.UNKNOWN


def test_even_where_the_published_names_have_room_a_failed_return_pays_nothing(
    notice: Read, signed: Signed, as_json: MakeRaw
) -> None:
    short = {"pp_ResponseMessage": "", "pp_RetreivalReferenceNo": "", "pp_Amount": "121", "pp_ResponseCode": "199"}
    published = ["pp_ResponseCode", "pp_ResponseMessage", "pp_RetreivalReferenceNo", "pp_SettlementExpiry"]
    rest = ["pp_SubMerchantId", "pp_TxnCurrency", "pp_TxnDateTime", "pp_TxnRefNo", "pp_TxnType", "pp_Version"]
    stolen = renamed(signed(RETURN | short), published + rest)
    assert (stolen["pp_ResponseCode"], stolen["pp_TxnCurrency"], stolen["pp_TxnRefNo"]) == ("121", "PKR", REFERENCE)
    assert notice(as_json(stolen)).outcome.verdict is Verdict.UNKNOWN


def test_a_return_that_lost_its_amount_to_another_name_is_a_reason_to_ask(
    notice: Read, signed: Signed, as_json: MakeRaw, as_form: MakeRaw
) -> None:
    smaller = signed(RETURN | {"pp_Amount": "100"})
    hidden = {"pp_AuthCode" if name == "pp_Amount" else name: value for name, value in smaller.items() if value}
    assert verified(hidden, "TESTSALT01")
    for raw in (as_json(hidden), as_form(hidden)):
        told = notice(raw)
        assert (told.outcome.verdict, told.reference) == (Verdict.UNKNOWN, REFERENCE)


def test_an_acknowledgement_of_ours_posted_back_names_no_payment(
    provider: JazzCashProvider, answer_to: Answer, signed: Signed, as_json: MakeRaw
) -> None:
    answer = answer_to(as_json(signed(IPN)))
    assert answer is not None
    with pytest.raises(NoticeMalformed):
        read_notice(provider, as_json(renamed(answer, ["pp_ResponseCode", "pp_TxnRefNo"])))


def test_names_that_nobody_has_published_are_a_reason_to_ask(notice: Read, signed: Signed, as_json: MakeRaw) -> None:
    assert notice(as_json(signed(IPN | {"pp_New": "1"}))).outcome.verdict is Verdict.UNKNOWN
    assert notice(as_json(signed(IPN | {"pp_New": ""}))).outcome.verdict is Verdict.PAID
    assert notice(as_json({**signed(IPN), "unsigned": "1"})).outcome.verdict is Verdict.PAID


@pytest.mark.parametrize(
    "changes", [{"pp_ResponseMessage": "Thank you & good bye."}, {"pp_AuthCode": "https://shop.example/return"}]
)
def test_a_value_that_could_hide_others_or_our_form_is_a_reason_to_ask(
    notice: Read, as_json: MakeRaw, changes: dict[str, str]
) -> None:
    fields = IPN | changes
    told = notice(as_json(fields | {SECURE_HASH: secure_hash(fields, "TESTSALT01")}))
    assert (told.outcome.verdict, told.outcome.money, told.kind) == (Verdict.UNKNOWN, None, "jazz_cash.ipn")


def test_a_notification_with_another_password_and_no_amount_is_a_reason_to_ask(
    notice: Read, answer_to: Answer, signed: Signed, as_json: MakeRaw
) -> None:
    for password in ("", "pw"):
        raw = as_json(signed(IPN | {"pp_Password": password}))
        assert notice(raw).outcome.verdict is Verdict.UNKNOWN
        assert answer_to(raw) is not None


def test_a_replay_has_the_same_key_and_every_other_delivery_another(
    notice: Read, signed: Signed, as_json: MakeRaw, as_form: MakeRaw
) -> None:
    first = notice(as_json(signed(IPN)))
    shuffled = dict(reversed(signed(IPN).items()))
    again = {**shuffled, "pp_ProductID": None, SECURE_HASH: shuffled[SECURE_HASH].lower()}
    assert notice(as_json(again)).key == notice(as_form(signed(IPN))).key == first.key
    others = [IPN | {"pp_ResponseCode": "157"}, IPN | {"pp_TxnRefNo": "T2"}, IPN | {"pp_AuthCode": ""}, RETURN]
    keys = {notice(as_json(signed(other))).key for other in others}
    assert len(keys | {first.key}) == 5
    assert len(first.key) == 64


@pytest.mark.parametrize("fields", [IPN, RETURN, RETURN | {"pp_New": "03001234567"}, IPN | {"pp_ResponseCode": "059"}])
def test_what_is_kept_is_read_as_it_was_when_it_came(
    provider: JazzCashProvider, notice: Read, signed: Signed, as_json: MakeRaw, as_form: MakeRaw, fields: dict[str, str]
) -> None:
    for raw in (as_json(signed(fields)), as_form(signed(fields))):
        assert provider.parse_stored(provider.verify_notice(raw).redacted) == notice(raw)


def test_what_is_kept_holds_no_secret_and_nothing_of_the_payer(
    provider: JazzCashProvider, signed: Signed, as_json: MakeRaw
) -> None:
    payer = {
        "pp_MobileNumber": "03123456789",
        "pp_CustomerMsisdn": "03123456789",
        "pp_CNIC": "345678",
        "ppmpf_1": "03123456789",
        "pp_MerchantMPIN": "1234",
        "pp_ResponseMessage": "Wallet 03123456789 of 42101-1234567-8 was debited.",
    }
    hashed = signed(IPN | payer)
    kept = provider.verify_notice(as_json({**hashed, "phone": "03123456789"})).redacted.decode()
    for secret in ("pw12345678", "TESTSALT01", "03123456789", "345678", "1234567", '"1234"', hashed[SECURE_HASH]):
        assert secret not in kept
    assert REFERENCE in kept


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"[]", b"null", b"\xff", b'{"kind": "jazz_cash.ipn"}', b'{"kind": 7}', b'{"kind": []}', b"[" * 99_999],
)
def test_what_was_never_proven_cannot_be_read_again(provider: JazzCashProvider, body: bytes) -> None:
    with pytest.raises(NoticeMalformed):
        provider.parse_stored(body)


def test_a_delivery_as_it_came_is_not_what_was_kept(
    provider: JazzCashProvider, signed: Signed, as_json: MakeRaw
) -> None:
    with pytest.raises(NoticeMalformed):
        provider.parse_stored(as_json(signed(IPN)).body)


@pytest.mark.parametrize(
    ("body", "query", "wanted"),
    [
        (urlencode(RETURN).encode(), "", REFERENCE),
        (urlencode(RETURN).encode(), "pp_txn_id=P2", REFERENCE),
        (json.dumps(RETURN).encode(), "", REFERENCE),
        (b"", f"pp_txn_id={REFERENCE}", REFERENCE),
        (b"", f"a=1&pp_txn_id={REFERENCE}&b=%ff", REFERENCE),
        (b"", "", None),
        (b"", "pp_txn_id=", None),
        (b"", "pp_txn_id=<script>", None),
        (b"", "pp_txn_id=P1%00", None),
        (b"pp_TxnRefNo=%22%3E%3Cscript%3E", "", None),
        (b"\xff", "&&&", None),
        (b"a=1&a=2", "pp_TxnRefNo=P1", None),
    ],
)
def test_the_browsers_return_names_a_page_to_show(
    provider: JazzCashProvider, as_form: MakeRaw, body: bytes, query: str, wanted: str | None
) -> None:
    raw = replace(as_form({}), body=body, query=query)
    hint = provider.returned(raw)
    assert (hint.reference if hint else None) == wanted
    assert provider.next_form(raw) is None
