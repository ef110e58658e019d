import re
from dataclasses import replace
from email.message import EmailMessage
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from payproc.application import Application, Letter
from payproc.database.models import EmailKind
from payproc.domain.languages import Locale
from payproc.domain.phrases import one_line
from payproc.domain.states import Fact
from payproc.outgoing.mail import headers
from payproc.outgoing.mail.letter import letter
from payproc.outgoing.mail.smtp import MailRefused
from payproc.providers.easy_paisa import EASY_PAISA
from payproc.providers.jazz_cash import JAZZ_CASH
from payproc.providers.stripe import STRIPE
from tests.support.mailbox import Mailbox, parsed, part

BOTH = pytest.mark.parametrize("locale", Locale)
EVERY_KIND = pytest.mark.parametrize("kind", EmailKind)
TO_CUSTOMERS = (EmailKind.RECEIPT, EmailKind.FAILURE, EmailKind.REFUND, EmailKind.REFUND_FAILED)
ISOLATES = re.compile("[\u2066\u2067\u2068\u2069]")
NAMES = {Locale.ENGLISH: "Amina Khan", Locale.URDU: "امینہ خان"}
AMOUNTS = dict.fromkeys(EmailKind, "1,250.50 PKR") | dict.fromkeys(
    (EmailKind.REFUND, EmailKind.REFUND_FAILED), "500.25 PKR"
)


def plain(text: str) -> str:
    """Without what only turns directions or keeps words together."""
    return ISOLATES.sub("", text).replace("\N{NO-BREAK SPACE}", " ")


def squeezed(name: str) -> str:
    """A name without spaces: some of Python's releases read one between two encoded words of a name."""
    return name.replace(" ", "")


def named(app: Application, **settings: Any) -> Application:
    """The same application, told otherwise who the merchant is."""
    return replace(app, settings=app.settings.model_copy(update=settings))


@pytest.fixture
def told(mailbox: Mailbox, locale: Locale) -> Mailbox:
    """A mail of every kind is staged for a customer of this language."""
    mailbox.call_the_customer(locale=locale, full_name=NAMES[locale])
    mailbox.one_of_each()
    return mailbox


@BOTH
@EVERY_KIND
def test_a_mail_reader_finds_everything_in_both_parts(told: Mailbox, locale: Locale, kind: EmailKind) -> None:
    message = told.read(kind)
    assert message.get_content_type() == "multipart/alternative"
    assert [body.get_content_type() for body in message.iter_parts()] == ["text/plain", "text/html"]
    for body in message.iter_parts():
        assert body.get_content_charset() == "utf-8"
        assert all(not part_.defects for part_ in message.walk())
    language = locale if kind in TO_CUSTOMERS else Locale.ENGLISH
    assert message["Content-Language"] == language
    assert f'<html lang="{language}" dir="{"rtl" if language == "ur" else "ltr"}">' in part(message, "html")
    if kind not in (EmailKind.DIGEST, EmailKind.FINDING, EmailKind.WEBHOOK_DISABLED):
        for half in (plain(part(message, "plain")), plain(part(message, "html")), plain(str(message["Subject"]))):
            assert AMOUNTS[kind] in half


@BOTH
@EVERY_KIND
def test_a_mail_says_who_sent_it_to_whom_and_when(told: Mailbox, locale: Locale, kind: EmailKind) -> None:
    message, email = told.read(kind), told.emails(kind)[0]
    [recipient] = message["To"].addresses
    to_customer = kind in TO_CUSTOMERS
    assert recipient.addr_spec == ("amina@example.com" if to_customer else "operators@shop.pk")
    assert recipient.display_name == (NAMES[locale] if to_customer else "")
    assert message["From"].addresses[0].addr_spec == "shop@example.com"
    assert message["Date"].datetime == email.created_at.replace(microsecond=0)
    assert message["Message-ID"] == f"<{email.id}@example.com>"
    assert message["Auto-Submitted"] == "auto-generated"


@BOTH
@EVERY_KIND
def test_a_mail_is_sent_in_seven_bits_and_is_the_same_each_time(told: Mailbox, locale: Locale, kind: EmailKind) -> None:
    raw = told.composed(kind).content
    assert raw.isascii()
    assert max(len(line) for line in raw.split(b"\r\n")) < 998
    assert raw.count(b"\r") == raw.count(b"\n") == raw.count(b"\r\n")
    assert raw.endswith(b"\r\n")
    assert told.composed(kind) == told.composed(kind)
    assert locale in Locale


@BOTH
@pytest.mark.parametrize("kind", TO_CUSTOMERS)
def test_a_customer_is_told_the_reference_and_the_name(told: Mailbox, locale: Locale, kind: EmailKind) -> None:
    message = told.read(kind)
    reference = told.payment_of(kind).reference
    assert reference in str(message["Subject"])
    for half in (plain(part(message, "plain")), part(message, "html")):
        assert reference in half
        assert NAMES[locale] in half


@pytest.mark.parametrize("locale", [Locale.URDU])
@pytest.mark.parametrize("kind", TO_CUSTOMERS)
def test_in_urdu_each_amount_and_reference_stands_apart_from_left_to_right(
    told: Mailbox, locale: Locale, kind: EmailKind
) -> None:
    message = told.read(kind)
    assert message["Content-Language"] == locale
    for value in (AMOUNTS[kind], told.payment_of(kind).reference):
        for half in (part(message, "plain"), str(message["Subject"])):
            assert half.count(value) == half.count(f"\u2066{value}\u2069") > 0
        page = plain(part(message, "html")).partition("<body")[2]
        assert page.count(value) == len(re.findall(rf'<bdi dir="ltr"[^>]*>{re.escape(value)}</bdi>', page)) > 0


@BOTH
@EVERY_KIND
def test_what_is_turned_is_turned_back(told: Mailbox, locale: Locale, kind: EmailKind) -> None:
    message = told.read(kind)
    for line in (str(message["Subject"]), *part(message, "plain").splitlines()):
        assert len(re.findall("[\u2066\u2068]", line)) == line.count("\u2069")
    assert locale in Locale


@BOTH
@EVERY_KIND
def test_no_mail_tells_a_phone_or_a_card(told: Mailbox, locale: Locale, kind: EmailKind) -> None:
    for half in ("plain", "html"):
        body = part(told.read(kind), half)
        assert not re.search("0300|234567|345678|\\*\\*", body)
        assert "{" not in body
    assert locale in Locale


@pytest.mark.parametrize("locale", [Locale.ENGLISH])
def test_a_dispute_tells_operators_what_to_do_and_by_when(told: Mailbox, locale: Locale) -> None:
    message = told.read(EmailKind.DISPUTE)
    payment = told.payment_of(EmailKind.DISPUTE)
    for half in ("plain", "html"):
        body = part(message, half)
        for fact in (
            "We were told: evidence is asked for.",
            "needs response: evidence is asked for",
            "product not received",
            "01 September 2026, 18:59 UTC".replace(" ", "\N{NO-BREAK SPACE}" if half == "html" else " "),
            f"https://pay.shop.pk/api/v1/payments/{payment.id}",
        ):
            assert fact in body
    assert locale is Locale.ENGLISH


@BOTH
def test_a_hostile_name_stays_a_name(mailbox: Mailbox, locale: Locale) -> None:
    hostile = "A\r\nBcc: x@example.com\x07 \u202e\u2069<script>alert(1)</script>{amount}"
    mailbox.call_the_customer(locale=locale, full_name=hostile)
    mailbox.payment(Fact.PAID, description="{{7*7}} <b>\u202e</b>\nSubject: free\u2069 mangoes")
    message = mailbox.read(EmailKind.RECEIPT)

    assert message["Bcc"] is None
    assert [address.addr_spec for address in message["To"].addresses] == ["amina@example.com"]
    assert "\n" not in str(message["Subject"])
    assert "<script>" not in part(message, "html")
    assert "<b>" not in part(message, "html")
    for half in ("plain", "html"):
        assert "{{7*7}}" in part(message, half)
        assert "{amount}" in part(message, half)
        assert "\u202e" not in part(message, half)
    assert all(not line.startswith(("Bcc", "Subject")) for line in part(message, "plain").splitlines())


# Words that a library which decodes them before it folds them would make a header, a body or an address of.
DISGUISED = (
    "=?utf-8?q?x=0D=0ASubject:_Your_account_is_locked=0D=0A=0D=0AGo_to_https://evil.example/?=",
    "=?utf-8?b?eA0KQmNjOiB5QGV4YW1wbGUuY29t?= Khan",
    "=?utf-8?q?x=22_=3Cevil=40evil.example=3E=2C_=22y?=",
    "=?us-ascii?q?=00=0A.=0AMAIL_FROM:=3Cx=40y.example=3E?=",
)
OF_THE_BODY = ("MIME-Version", "Content-Type", "Content-Language")
HEADERS = ("Subject", "From", "To", "Date", "Message-ID", "Auto-Submitted", *OF_THE_BODY)
LONGEST_LINE = 76  # of quoted-printable, and our own headers are shorter


def written_as(headers: dict[str, str], *, plain: str, html: str = "") -> Letter:
    sender, recipient = "shop@example.com", "amina@example.com"
    return letter(headers, plain=plain, html=html, key="eml_1", sender=sender, recipient=recipient, language="en")


@pytest.mark.parametrize("disguised", DISGUISED)
@pytest.mark.parametrize("kind", EmailKind)
def test_words_that_a_library_would_decode_leave_as_they_were_written(
    mailbox: Mailbox, kind: EmailKind, disguised: str
) -> None:
    told = replace(mailbox, app=named(mailbox.app, merchant_name=disguised[:64], merchant_contact=disguised))
    told.call_the_customer(full_name=disguised)
    told.one_of_each(order=disguised, description=disguised, detail=disguised)
    message = told.read(kind)

    assert tuple(message.keys()) == HEADERS
    assert "locked" not in str(message["Subject"])
    [recipient] = message["To"].addresses
    assert recipient.addr_spec == ("amina@example.com" if kind in TO_CUSTOMERS else "operators@shop.pk")
    [sender] = message["From"].addresses
    assert sender.addr_spec == "shop@example.com"
    assert [body.get_content_type() for body in message.iter_parts()] == ["text/plain", "text/html"]
    if kind in TO_CUSTOMERS:
        assert squeezed(recipient.display_name) == squeezed(disguised[:64])
        assert disguised[:64] in part(message, "plain")


@given(name=st.text(max_size=90), subject=st.text(max_size=200))
def test_whatever_somebody_is_called_a_mail_has_its_own_headers_and_one_recipient(name: str, subject: str) -> None:
    written = {
        "Subject": headers.text("Subject", one_line(subject)),
        "From": headers.mailbox(name, "shop@example.com"),
        "To": headers.mailbox(name, "amina@example.com"),
    }
    read = parsed(written_as(written, plain="Thank you."))
    assert tuple(read.keys()) == (*written, *OF_THE_BODY)
    assert [address.addr_spec for address in read["To"].addresses] == ["amina@example.com"]
    assert str(read["Subject"]) == one_line(subject)
    assert squeezed(read["To"].addresses[0].display_name) == squeezed(headers.display_name(name))


@pytest.mark.parametrize(
    "value",
    [
        *(
            "<amina@example.com>\r\nBcc: y@example.com",
            "Amina\nBcc: y@example.com",
            "Amina\r\n \r\n text",
            "\x00",
            "\x85",
        ),
        *("=?utf-8?q?x=0D=0ABcc:_y?=", "Amina =?utf-8?B?eA==?=", "Amina\r\n =?utf-8?B?eA==?= =?utf-8?q?=0A?="),
    ],
)
def test_a_header_that_would_be_read_as_something_else_is_not_sent(value: str) -> None:
    with pytest.raises(MailRefused):
        written_as({"To": value}, plain="Thank you.")


@given(plain=st.text(), html=st.text())
def test_whatever_is_in_its_halves_each_is_read_as_it_was_written(plain: str, html: str) -> None:
    read = written_as({"To": "<amina@example.com>"}, plain=plain, html=html)
    lines = read.content.split(b"\r\n")
    assert all(len(line) <= LONGEST_LINE and line.isascii() and not {*b"\r\n"} & {*line} for line in lines)
    for subtype, half in (("plain", plain), ("html", html)):
        # What ends a line in a mail is one thing, and so all that may is read as one.
        assert part(parsed(read), subtype).encode().splitlines() == (half.encode().splitlines() or [b""])


def test_a_name_is_as_long_as_a_name_and_ends_with_a_word(mailbox: Mailbox) -> None:
    mailbox.call_the_customer(full_name="Amina " * 60)
    mailbox.payment(Fact.PAID)
    message = mailbox.read(EmailKind.RECEIPT)
    name = ("Amina " * 10).strip()
    assert message["To"].addresses[0].display_name == name
    assert f"Dear {name}," in part(message, "plain").splitlines()


def test_the_parts_escape_each_in_its_own_way(mailbox: Mailbox) -> None:
    mailbox.payment(Fact.PAID, description='Mangoes & "more"')
    message = mailbox.read(EmailKind.RECEIPT)
    assert 'Mangoes & "more"' in part(message, "plain")
    assert "Mangoes &amp; &#34;more&#34;" in part(message, "html")


def test_a_language_that_changed_is_spoken_from_the_next_mail_on(mailbox: Mailbox, posted: list[EmailMessage]) -> None:
    mailbox.payment(Fact.PAID)
    mailbox.work()
    mailbox.call_the_customer(locale=Locale.URDU)
    mailbox.payment(Fact.DECLINED)
    mailbox.work()
    assert [message["Content-Language"] for message in posted] == ["en", "ur"]


@pytest.mark.parametrize(
    ("locale", "written"),
    [
        (Locale.ENGLISH, "Paid on: 1 January 2027, 00:05 (Pakistan time)"),
        (
            Locale.URDU,
            "ادائیگی کا وقت: 1 جنوری 2027، رات 12:05 بجے (پاکستان کا وقت)",
        ),
    ],
)
def test_times_are_those_of_the_merchants_clock(mailbox: Mailbox, locale: Locale, written: str) -> None:
    mailbox.call_the_customer(locale=locale)
    mailbox.payment(Fact.PAID)
    with mailbox.app.database.transaction() as session:
        session.execute(text("UPDATE emails SET created_at = '2026-12-31 19:05:00Z'"))
    assert written in plain(part(mailbox.read(EmailKind.RECEIPT), "plain")).splitlines()


def test_times_are_told_by_the_clock_that_was_set(mailbox: Mailbox) -> None:
    told = replace(mailbox, app=named(mailbox.app, merchant_time_zone="Asia/Dubai"))
    told.payment(Fact.PAID)
    with told.app.database.transaction() as session:
        session.execute(text("UPDATE emails SET created_at = '2026-12-31 19:05:00Z'"))
    assert "Paid on: 31 December 2026, 23:05 (UTC+04:00)" in part(told.read(EmailKind.RECEIPT), "plain").splitlines()


@pytest.mark.parametrize(
    ("method", "locale", "says", "says_not"),
    [
        (STRIPE, Locale.ENGLISH, "5 to 10 business days", "through"),
        (JAZZ_CASH, Locale.ENGLISH, "It returns to you through JazzCash.", "bank"),
        (EASY_PAISA, Locale.ENGLISH, "It returns to you through Easypaisa.", "bank"),
        ("another", Locale.ENGLISH, "It returns to where you paid from.", "bank"),
        (STRIPE, Locale.URDU, "کاروباری دن", "کے ذریعے"),
        (JAZZ_CASH, Locale.URDU, "جاز کیش کے ذریعے", "بینک"),
        (EASY_PAISA, Locale.URDU, "ایزی پیسہ کے ذریعے", "بینک"),
    ],
)
def test_money_is_said_to_return_the_way_it_came(
    mailbox: Mailbox, method: str, locale: Locale, says: str, says_not: str
) -> None:
    mailbox.call_the_customer(locale=locale)
    mailbox.refund(mailbox.payment(Fact.PAID))
    with mailbox.app.database.transaction() as session:
        session.execute(text("UPDATE payments SET payment_method = :method"), {"method": method})
    for half in ("plain", "html"):
        said = plain(part(mailbox.read(EmailKind.REFUND), half))
        assert says in re.sub("<.*?>", "", said)
        assert says_not not in said


@BOTH
@pytest.mark.parametrize("kind", TO_CUSTOMERS)
def test_a_customer_is_told_whom_they_paid_how_and_where_to_ask(
    mailbox: Mailbox, kind: EmailKind, locale: Locale
) -> None:
    merchant = {"merchant_name": "Aam Ghar", "merchant_contact": "help@shop.pk, 042 111 222 333"}
    told = replace(mailbox, app=named(mailbox.app, **merchant))
    told.call_the_customer(locale=locale)
    told.one_of_each()
    with told.app.database.transaction() as session:
        session.execute(text("UPDATE payments SET payment_method = 'jazz_cash', provider_receipt = '826135000001'"))
    message = told.read(kind)
    label = {Locale.ENGLISH: "JazzCash", Locale.URDU: "جاز کیش"}[locale]
    for half in ("plain", "html"):
        body = plain(part(message, half))
        for fact in (*merchant.values(), label, "826135000001"):
            assert fact in body
    assert message["From"].addresses[0].display_name == "Aam Ghar"


def test_a_merchant_that_says_nothing_of_itself_is_not_told_of(mailbox: Mailbox) -> None:
    mailbox.payment(Fact.PAID)
    message = mailbox.read(EmailKind.RECEIPT)
    assert not re.search("Merchant|Contact|Receipt number|None", part(message, "plain"))
    assert message["From"] == "shop@example.com"
