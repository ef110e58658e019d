"""Whoever asks for many pushes rings few phones, and others ring theirs meanwhile."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from sqlalchemy import text

from payproc.database.models import Job, Payment, PushShare, Role, User
from payproc.flows.push_quota import holder_of
from payproc.jobs import Kind
from payproc.operations import clock
from payproc.records.identity.users import issue_key
from tests.support.wallet_world import APPROVED, DECLINED, NEVER, WalletWorld

URL = "/api/v1/payments/jazz-cash/initiate"


@pytest.fixture
def world(wallet_world: WalletWorld) -> WalletWorld:
    return limited(wallet_world, pushes_per_phone=2)


def limited(world: WalletWorld, **most: int) -> WalletWorld:
    return world.speaking(jazz_cash_dialect="mwallet-2.0", forwarded_hops=1, **most)


def key_of(world: WalletWorld, user: User | None = None) -> str:
    with world.app.database.transaction() as session:
        return issue_key(session, user or world.customer)


def another_user(world: WalletWorld) -> User:
    with world.app.database.transaction() as session:
        user = User(email="bilal@example.com", full_name="Bilal", role=Role.CUSTOMER)
        session.add(user)
    return user


def push(
    world: WalletWorld, key: str, *, phone: str = NEVER, address: str = "203.0.113.7", **headers: str
) -> requests.Response:
    return requests.post(
        world.front.url + URL,
        json={"amount": "1250.50", "phone": phone, "cnic": "345678", "description": "Two mangoes"},
        headers={"Authorization": f"Bearer {key}", "X-Forwarded-For": address}
        | {name.replace("_", "-"): value for name, value in headers.items()},
        timeout=10,
    )


def statuses(world: WalletWorld, key: str, **more: Any) -> list[int]:
    """Ask three times."""
    return [push(world, key, **more).status_code for _ in range(3)]


def phones(count: int) -> list[str]:
    return [f"0301{number:07}" for number in range(count)]


def pass_time(world: WalletWorld, *, by: str = "15 minutes") -> None:
    """Let no push ring any more."""
    with world.app.database.transaction() as session:
        session.execute(text("UPDATE push_shares SET created_at = created_at - CAST(:by AS interval)"), {"by": by})


def test_one_phone_is_rung_a_few_times_at_once_and_nobody_may_ask_for_more(world: WalletWorld) -> None:
    key = key_of(world)
    assert statuses(world, key) == [202, 202, 429]
    refused = push(world, key, phone="+92 (0)300 0000005")
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_pushes")
    assert 1 <= int(refused.headers["Retry-After"]) <= 120
    assert NEVER not in refused.text
    assert len(world.rows(Payment)) == len([job for job in world.rows(Job) if job.kind == Kind.PUSH_PAYMENT]) == 2
    assert push(world, key, phone=APPROVED).status_code == 202, "another phone"


def test_many_requests_at_once_ring_a_phone_no_more_often(world: WalletWorld) -> None:
    key = key_of(world)
    with ThreadPoolExecutor(8) as clients:
        answers = Counter(clients.map(lambda _: push(world, key).status_code, range(16)))
    assert answers == {202: 2, 429: 14}


def test_who_has_answered_may_be_rung_again(world: WalletWorld) -> None:
    key = key_of(world)
    for _ in range(3):
        answer = push(world, key, phone=DECLINED)
        assert answer.status_code == 202
        world.becomes(world.payment(answer.json()["payment_id"]), "failed")


def test_a_push_in_doubt_counts_only_as_long_as_it_can_ring(world: WalletWorld) -> None:
    key = key_of(world)
    assert statuses(world, key) == [202, 202, 429]
    pass_time(world)
    assert push(world, key).status_code == 202


def test_one_user_rings_so_many_phones_and_another_user_others(wallet_world: WalletWorld) -> None:
    world = limited(wallet_world, pushes_per_user=3)
    key, other = key_of(world), key_of(world, another_user(world))
    assert [push(world, key, phone=phone).status_code for phone in phones(5)] == [202, 202, 202, 429, 429]
    assert push(world, other, phone=APPROVED).status_code == 202


def test_one_address_rings_so_many_phones_whoever_asks(wallet_world: WalletWorld) -> None:
    world = limited(wallet_world, pushes_per_address=3)
    keys = [key_of(world), key_of(world, another_user(world))]
    told = [push(world, keys[place % 2], phone=phone).status_code for place, phone in enumerate(phones(5))]
    assert told == [202, 202, 202, 429, 429]
    assert push(world, keys[0], address="203.0.113.8").status_code == 202


@pytest.mark.parametrize(
    ("address", "holder"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("unknown", "unknown"),
    ],
)
def test_who_has_one_address_of_a_network_has_them_all(address: str, holder: str) -> None:
    assert holder_of(address) == holder


def test_a_request_that_is_repeated_under_its_key_is_answered_as_before(world: WalletWorld) -> None:
    key = key_of(world)
    first = push(world, key, Idempotency_Key="the-same-again")
    push(world, key)
    assert push(world, key).status_code == 429
    assert push(world, key, Idempotency_Key="the-same-again").json() == first.json()


def test_a_refusal_keeps_no_key(world: WalletWorld) -> None:
    key = key_of(world)
    assert statuses(world, key) == [202, 202, 429]
    assert push(world, key, Idempotency_Key="refused-at-first").status_code == 429
    pass_time(world)
    assert push(world, key, Idempotency_Key="refused-at-first").status_code == 202


def test_what_is_begun_by_a_form_rings_nobody_and_is_not_counted(wallet_world: WalletWorld) -> None:
    world = wallet_world.speaking(jazz_cash_dialect="hosted-1.1", pushes_per_phone=1, pushes_per_user=1)
    assert statuses(world, key_of(world)) == [201, 201, 201]
    assert world.rows(PushShare) == []


def test_shares_name_nobody_and_are_forgotten(world: WalletWorld) -> None:
    push(world, key_of(world))
    shares = world.rows(PushShare)
    assert len(shares) == 3
    assert not [each for each in shares if NEVER in each.holder or world.customer.id in each.holder]
    pass_time(world, by="2 days")
    with world.app.database.transaction() as session:
        clock.tick(session, Kind.PRUNE, now=datetime.now(UTC))
    world.drain()
    assert world.rows(PushShare) == []


def test_all_of_a_shops_customers_come_from_its_server_and_count_together(world: WalletWorld) -> None:
    world = limited(world, pushes_per_user=1, pushes_per_address=1, pushes_per_shop=3)
    with world.app.database.transaction() as session:
        shop = User(email="server@mangoes.pk", full_name="Mango Shop", role=Role.SHOP)
        session.add(shop)
    key = key_of(world, shop)
    asked = [push(world, key, phone=phone).status_code for phone in phones(4)]
    assert asked == [202, 202, 202, 429]
    assert "for this shop" in push(world, key, phone=phones(5)[-1]).text
