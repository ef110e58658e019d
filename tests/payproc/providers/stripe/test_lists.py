"""Stripe's lists, page by page, at the simulator."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import stripe

from payproc.domain.money import Money
from payproc.domain.references import Reference
from payproc.domain.settlement import LineKind, RefundVerdict
from payproc.domain.states import DisputeStatus
from payproc.errors import ProviderUnavailable
from payproc.providers.answers import Verdict
from payproc.providers.listing import Listing, Page, PayoutStatus, Window
from payproc.providers.notices import DisputeNotice, Notice, RefundNotice
from payproc.providers.stripe import STRIPE
from payproc.providers.stripe.notices import KINDS
from payproc.providers.stripe.provider import StripeProvider
from payproc.providers.stripe.settings import StripeConfig
from payproc.providers.transport.circuit_breakers import CircuitBreakers
from sandbox.gateway import GatewayConfig, start_gateway
from sandbox.stripe.config import API_VERSION
from tests.support.contract.scripted import Failure, ScriptedGateway, closed_port, scripted_gateway

SECRET_KEY = "sk_test_listing0123456789"
# The simulator's time, in Unix seconds: it stands still.
NOW = 1_790_000_000
MANY = 250
# Asks for the page after a cursor.
Turn = Callable[[str | None], Page[Any]]
EVERYTHING = Window(begin=datetime.fromtimestamp(NOW - 86400, UTC), end=datetime.fromtimestamp(NOW + 1, UTC))
LISTS: dict[str, Callable[[StripeProvider], object]] = {
    "events": lambda provider: provider.list_events(EVERYTHING, cursor=None),
    "payments": lambda provider: provider.list_payments(EVERYTHING, cursor=None),
    "refunds": lambda provider: provider.list_refunds(EVERYTHING, cursor=None),
    "disputes": lambda provider: provider.list_disputes(EVERYTHING, cursor=None),
    "lines": lambda provider: provider.list_lines(EVERYTHING, cursor=None),
    "payouts": lambda provider: provider.list_payouts(EVERYTHING, cursor=None),
    "payout lines": lambda provider: provider.list_payout_lines("po_1", cursor=None),
}
SHOWN: dict[str, Callable[[StripeProvider, str], object]] = {
    "payment": StripeProvider.payment,
    "refund": StripeProvider.refund_of,
    "dispute": StripeProvider.dispute,
}


def provider_at(api_base: str, *, patience: timedelta = timedelta(seconds=10)) -> StripeProvider:
    config = StripeConfig(
        secret_key=SECRET_KEY,
        webhook_secrets=("whsec_listing",),
        api_version=API_VERSION,
        api_base=api_base,
        live_mode=False,
        connect_timeout=timedelta(seconds=1),
        read_timeout=patience,
        poll_schedule=(timedelta(minutes=10),),
    )
    return StripeProvider(config, CircuitBreakers(STRIPE, longest_rest=timedelta(seconds=1)))


@dataclass(frozen=True, kw_only=True)
class Account:
    """A merchant's account at the simulator, paid out in dollars, and ourselves before it."""

    base_url: str
    provider: StripeProvider

    @property
    def client(self) -> stripe.StripeClient:
        return stripe.StripeClient(SECRET_KEY, base_addresses={"api": self.base_url}, max_network_retries=0)

    def control(self, path: str, body: Any = None) -> Any:
        answer = requests.post(f"{self.base_url}/_sandbox/{path}", json=body, timeout=10)
        assert answer.ok, answer.text
        return answer.json()

    def paid(self, count: int, *, currency: str = "usd", created: int = NOW) -> list[Any]:
        payments = [
            {"payment_id": f"pay_{n}", "reference": f"P{n}", "amount": 1000 + n, "currency": currency}
            | {"created": created - n, "events": True}
            for n in range(count)
        ]
        return list(self.control("bulk", {"payments": payments})["payments"])

    def refund(self, intent_id: str, **more: Any) -> str:
        params: Any = {"payment_intent": intent_id, **more}
        return self.client.v1.refunds.create(params).id

    def asked(self, path: str) -> int:
        calls = requests.get(f"{self.base_url}/_sandbox/requests", timeout=10).json()
        return sum(call["method"] == "GET" and call["path"] == path for call in calls)


@pytest.fixture
def account() -> Iterator[Account]:
    running = start_gateway(GatewayConfig(clock=lambda: NOW, settlement_currency="usd"))
    yield Account(base_url=running.base_url, provider=provider_at(running.base_url))
    running.stop()


@pytest.fixture
def hostile() -> Iterator[ScriptedGateway]:
    with scripted_gateway() as gateway:
        yield gateway


def walked(turn: Turn) -> list[Page[Any]]:
    """Every page of a list, one after the other."""
    pages = [turn(None)]
    while pages[-1].next_cursor is not None:
        pages.append(turn(pages[-1].next_cursor))
    return pages


def items(turn: Turn) -> list[Any]:
    pages = walked(turn)
    assert [page.unreadable for page in pages] == [()] * len(pages)
    return [item for page in pages for item in page.items]


def since(begin: int, end: int = NOW + 1) -> Window:
    return Window(begin=datetime.fromtimestamp(begin, UTC), end=datetime.fromtimestamp(end, UTC))


def test_it_can_list() -> None:
    assert isinstance(provider_at(closed_port()), Listing)


def test_hundreds_of_payments_events_refunds_and_lines_come_once_each_newest_first(account: Account) -> None:
    ids = account.paid(MANY)
    refunds = [account.refund(each["payment_intent"], amount=100) for each in ids]
    provider = account.provider

    payments = items(lambda cursor: provider.list_payments(EVERYTHING, cursor=cursor))
    assert [payment.provider_id for payment in payments] == [each["payment_intent"] for each in ids]
    assert [payment.payment_id for payment in payments] == [each["payment_id"] for each in ids]
    assert account.asked("/v1/payment_intents") == 3

    found = items(lambda cursor: provider.list_refunds(EVERYTHING, cursor=cursor))
    assert sorted(refund.provider_id for refund in found) == sorted(refunds)
    assert account.asked("/v1/refunds") == 3

    lines = items(lambda cursor: provider.list_lines(EVERYTHING, cursor=cursor))
    assert len({line.id for line in lines}) == len(lines) == 2 * MANY
    assert {line.source for line in lines} == {each["charge"] for each in ids} | set(refunds)
    assert account.asked("/v1/balance_transactions") == 5

    events = items(lambda cursor: provider.list_events(EVERYTHING, cursor=cursor))
    readings = [provider.parse_stored(event.body) for event in events]
    assert len({event.key for event in events}) == len(events) == 3 * MANY
    assert [reading.key for reading in readings] == [event.key for event in events]
    assert sum(isinstance(reading, Notice) for reading in readings) == 2 * MANY
    assert sum(isinstance(reading, RefundNotice) for reading in readings) == MANY


def test_a_window_holds_its_begin_and_not_its_end(account: Account) -> None:
    ids = account.paid(4)
    window = since(NOW - 2, NOW)
    payments = items(lambda cursor: account.provider.list_payments(window, cursor=cursor))
    assert [payment.provider_id for payment in payments] == [each["payment_intent"] for each in ids[1:3]]
    assert [payment.created_at.timestamp() for payment in payments] == [NOW - 1, NOW - 2]
    lines = items(lambda cursor: account.provider.list_lines(window, cursor=cursor))
    assert [line.source for line in lines] == [each["charge"] for each in ids[1:3]]
    events = items(lambda cursor: account.provider.list_events(window, cursor=cursor))
    assert {event.created_at.timestamp() for event in events} == {NOW - 1, NOW - 2}
    assert items(lambda cursor: account.provider.list_refunds(since(NOW), cursor=cursor)) == []


def test_a_listed_payment_is_read_with_its_money_its_mode_and_its_charge(account: Account) -> None:
    [ids] = account.paid(1)
    [listed] = items(lambda cursor: account.provider.list_payments(EVERYTHING, cursor=cursor))
    assert listed == account.provider.payment(ids["payment_intent"])
    assert (listed.outcome.verdict, listed.outcome.money) == (Verdict.PAID, Money.of(1000, "usd"))
    assert (listed.outcome.live_mode, listed.payment_id, listed.reference) == (False, "pay_0", "P0")
    assert listed.references == {
        Reference.STRIPE_PAYMENT_INTENT: ids["payment_intent"],
        Reference.STRIPE_CHARGE: ids["charge"],
    }


def test_a_listed_refund_is_the_one_that_is_shown(account: Account) -> None:
    [ids] = account.paid(1)
    refund_id = account.refund(ids["payment_intent"], amount=250, metadata={"refund_id": "ref_1"})
    [listed] = items(lambda cursor: account.provider.list_refunds(EVERYTHING, cursor=cursor))
    assert listed == account.provider.refund_of(refund_id)
    assert (listed.refund_id, listed.money) == ("ref_1", Money.of(250, "usd"))
    assert listed.outcome.verdict is RefundVerdict.SUCCEEDED


def test_a_dispute_is_listed_and_shown_as_it_stands_at_the_moment_of_asking(account: Account) -> None:
    [ids] = account.paid(1)
    made = account.control(f"payment_intents/{ids['payment_intent']}/dispute", {"inquiry": False})
    account.control(f"disputes/{made['id']}/submit")
    before = datetime.now(UTC)
    [listed] = items(lambda cursor: account.provider.list_disputes(EVERYTHING, cursor=cursor))
    shown = account.provider.dispute(made["id"])
    assert shown is not None
    for found in (listed, shown):
        assert (found.provider_id, found.status) == (made["id"], DisputeStatus.UNDER_REVIEW)
        assert found.money == Money.of(1000, "usd")
        assert before.replace(microsecond=0) <= found.reported_at <= datetime.now(UTC)
        assert [(line.kind, line.net) for line in found.lines] == [(LineKind.DISPUTE, -2500)]
    events = items(lambda cursor: account.provider.list_events(EVERYTHING, cursor=cursor))
    read = [account.provider.parse_stored(event.body) for event in events]
    assert sum(isinstance(reading, DisputeNotice) for reading in read) == 3


def test_a_line_of_another_currency_carries_its_rate_exactly(account: Account) -> None:
    account.paid(1, currency="eur")
    account.paid(1, currency="usd", created=NOW - 10)
    converted, plain = items(lambda cursor: account.provider.list_lines(EVERYTHING, cursor=cursor))
    assert (converted.currency, converted.gross, converted.fee) == ("usd", 1080, 31)
    assert isinstance(converted.exchange_rate, Decimal)
    assert converted.exchange_rate == Decimal("1.08")
    assert plain.exchange_rate is None


def test_a_payout_is_made_of_its_lines_to_the_cent(account: Account) -> None:
    account.paid(MANY)
    account.control("payouts")
    provider = account.provider
    [payout] = items(lambda cursor: provider.list_payouts(EVERYTHING, cursor=cursor))
    assert (payout.status, payout.itemised) == (PayoutStatus.PAID, True)

    lines = items(lambda cursor: provider.list_payout_lines(payout.provider_id, cursor=cursor))
    own = [line for line in lines if line.kind is LineKind.PAYOUT]
    assert [(line.source, line.net) for line in own] == [(payout.provider_id, -payout.money.amount_minor)]
    assert len({line.id for line in lines}) == len(lines) == MANY + 1
    assert sum(line.net for line in lines) == 0
    assert {line.payout for line in lines} == {payout.provider_id}
    assert {line.payout for line in items(lambda cursor: provider.list_lines(EVERYTHING, cursor=cursor))} == {None}


def test_a_payout_that_the_bank_returned_has_failed(account: Account) -> None:
    account.paid(1)
    [made] = account.control("payouts")["payouts"]
    account.control(f"payouts/{made['id']}/fail")
    [payout] = items(lambda cursor: account.provider.list_payouts(EVERYTHING, cursor=cursor))
    assert payout.status is PayoutStatus.FAILED


def test_what_cannot_be_read_is_named_beside_the_rest(account: Account) -> None:
    ids = account.paid(3)
    odd = ids[1]
    account.control(f"objects/{odd['payment_intent']}", {"currency": "xyz"})
    account.control(f"objects/{odd['balance_transaction']}", {"net": 1})
    payments = account.provider.list_payments(EVERYTHING, cursor=None)
    assert [payment.provider_id for payment in payments.items] == [ids[n]["payment_intent"] for n in (0, 2)]
    assert [each.name for each in payments.unreadable] == [odd["payment_intent"]]
    lines = account.provider.list_lines(EVERYTHING, cursor=None)
    assert (len(lines.items), [each.name for each in lines.unreadable]) == (2, [odd["balance_transaction"]])


def test_what_is_there_and_cannot_be_read_is_not_called_missing(account: Account) -> None:
    [ids] = account.paid(1)
    account.control(f"objects/{ids['payment_intent']}", {"currency": "xyz"})
    with pytest.raises(ProviderUnavailable) as caught:
        account.provider.payment(ids["payment_intent"])
    assert caught.value.code == "unreadable_answer"


@pytest.mark.parametrize("kind", SHOWN)
def test_what_stripe_has_not_is_none(account: Account, kind: str) -> None:
    assert SHOWN[kind](account.provider, "xx_nobody") is None


@pytest.mark.parametrize("kind", SHOWN)
def test_an_empty_id_is_never_sent(hostile: ScriptedGateway, kind: str) -> None:
    with pytest.raises(ValueError, match="id"):
        SHOWN[kind](provider_at(hostile.url), "")
    with pytest.raises(ValueError, match="id"):
        provider_at(hostile.url).list_payout_lines("", cursor=None)
    assert hostile.seen == []


@pytest.mark.parametrize(
    ("kind", "path", "more"),
    [
        ("events", "/v1/events", {f"types[{n}]": [kind] for n, kind in enumerate(KINDS)}),
        ("payments", "/v1/payment_intents", {"expand[0]": ["data.latest_charge"]}),
        ("refunds", "/v1/refunds", {}),
        ("disputes", "/v1/disputes", {}),
        ("lines", "/v1/balance_transactions", {"expand[0]": ["data.source"]}),
        ("payouts", "/v1/payouts", {}),
    ],
)
def test_a_page_is_one_request_in_exactly_these_words(
    hostile: ScriptedGateway, kind: str, path: str, more: dict[str, list[str]]
) -> None:
    hostile.says(b'{"object": "list", "data": [], "has_more": false}')
    assert LISTS[kind](provider_at(hostile.url)) == Page(items=(), next_cursor=None)
    [sent] = hostile.seen
    asked = urlsplit(sent.path)
    window = {"created[gte]": [str(NOW - 86400)], "created[lt]": [str(NOW + 1)]}
    assert (asked.path, parse_qs(asked.query)) == (path, {"limit": ["100"]} | window | more)


@pytest.mark.parametrize("kind", LISTS)
@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"[]",
        b"null",
        b'"list"',
        b'{"object": "list", "has_more": false}',
        b'{"object": "list", "data": {}, "has_more": false}',
        b'{"object": "list", "data": [], "has_more": true}',
        b'{"object": "list", "data": []}',
        b"<html>Request Rejected</html>",
    ],
)
def test_what_is_no_page_is_asked_for_again(hostile: ScriptedGateway, kind: str, body: bytes) -> None:
    hostile.says(body)
    with pytest.raises(ProviderUnavailable):
        LISTS[kind](provider_at(hostile.url))


@pytest.mark.parametrize("kind", SHOWN)
@pytest.mark.parametrize("body", [b"{}", b"[]", b"null", b'{"object": "list", "data": []}', b"<html></html>"])
def test_what_is_no_object_is_asked_for_again(hostile: ScriptedGateway, kind: str, body: bytes) -> None:
    hostile.says(body)
    with pytest.raises(ProviderUnavailable):
        SHOWN[kind](provider_at(hostile.url), "xx_1")


def test_a_list_that_cannot_be_fetched_is_asked_for_again(hostile: ScriptedGateway) -> None:
    with pytest.raises(ProviderUnavailable):
        LISTS["payments"](provider_at(hostile.failing(Failure.RESET)))
    with pytest.raises(ProviderUnavailable):
        LISTS["payments"](provider_at(closed_port()))
