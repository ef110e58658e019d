"""Everything that a full run wrote down, searched for everything that must not be there."""

import json
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
from psycopg.sql import SQL, Identifier
from redis import Redis

from sandbox.demo.browser import follow
from sandbox.stack.running import Stack, running_stack
from tests.support.waiting import wait_until

pytestmark = pytest.mark.processes

PHONE, SILENT_PHONE, CNIC = "03001234567", "03000000006", "918273"
PROCESSES = (
    "web",
    "relay",
    "worker-jazz-cash",
    "worker-easy-paisa",
    "worker-pushes",
    "worker-notices",
    "worker-stripe",
    "worker-mail",
    "worker-webhooks",
    "worker-reconcile",
)


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    told = {
        "JAZZ_CASH_DIALECT": "mwallet-2.0",
        "EASY_PAISA_DIALECT": "rest-v5-rsa",
        "LOG_LEVEL": "DEBUG",
        "PUSH_TIMEOUT": "1s",
    }
    with (
        tempfile.TemporaryDirectory(prefix="payproc-") as place,
        running_stack(Path(place), overrides=told, without=("beat",)) as running,
    ):
        yield running


def call(stack: Stack, method: str, path: str, body: Any = None, *, role: str = "customer") -> Any:
    answer = requests.request(
        method,
        f"{stack.web_url}/api/v1/payments/{path}",
        json=body,
        headers={"Authorization": f"Bearer {stack.keys[role]}", "Idempotency-Key": secrets.token_hex(8)},
        timeout=40,
    )
    assert answer.ok, answer.text
    return answer.json()


def start(stack: Stack, wallet: str, *, phone: str = PHONE) -> Any:
    return call(stack, "POST", f"{wallet}/initiate", {"amount": 1250.5, "phone": phone, "cnic": CNIC})


def completed(stack: Stack, payment_id: str) -> Any:
    def look() -> Any:
        payment = call(stack, "GET", payment_id)
        return payment if payment["status"] == "completed" else None

    return wait_until(look)


def secrets_of(stack: Stack) -> dict[str, str]:
    made = stack.site.secrets
    return {
        "JazzCash password": made.jazz_cash_password,
        "JazzCash salt": made.jazz_cash_integrity_salt,
        "Easypaisa store password": made.easy_paisa_store_password,
        "Easypaisa password": made.easy_paisa_password,
        "Easypaisa hash key": made.easy_paisa_hash_key,
        "Easypaisa private key": made.merchant_keys["private"].splitlines()[1],
        "payproc's key": made.secret_key,
        "Stripe's key": made.stripe_secret_key,
        "a phone": PHONE.removeprefix("0"),
        "the silent phone": SILENT_PHONE.removeprefix("0"),
        "a CNIC": CNIC,
        "an API key": stack.keys["customer"],
        "Flower's password": made.flower_password,
    }


def written(stack: Stack) -> dict[str, str]:
    """Everything that our processes left behind, by where."""
    found = {f"log of {name}": stack.log(name) for name in PROCESSES}
    with psycopg.connect(stack.database_url.replace("+psycopg", "")) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for (table,) in tables:
            rows = connection.execute(SQL("SELECT t::text FROM {} AS t").format(Identifier(table))).fetchall()
            # What is stored as bytes is text written in hex.
            found[f"table {table}"] = "\n".join(_with_bytes(row[0]) for row in rows)
    with Redis.from_url(stack.broker_url) as broker:
        keys = [key for key in broker.keys("*") if isinstance(key, bytes)]
        found["Redis"] = "\n".join(repr(broker.dump(key)) for key in keys)
    tasks = requests.get(f"{stack.flower_url}/api/tasks", auth=stack.flower_login, timeout=10)
    found["Flower"] = tasks.text
    return found


def _with_bytes(row: str) -> str:
    parts = row.split("\\\\x")
    texts = [bytes.fromhex(_hex_part(part)).decode("latin-1") for part in parts[1:]]
    return "\n".join([row, *texts])


def _hex_part(part: str) -> str:
    end = next((place for place, letter in enumerate(part) if letter not in "0123456789abcdef"), len(part))
    return part[: end - end % 2]


def test_nothing_secret_was_written_answered_or_sent_to_celery(stack: Stack) -> None:
    answers = [start(stack, wallet) for wallet in ("jazz-cash", "easy-paisa")]
    paid = [completed(stack, answer["payment_id"]) for answer in answers]
    silent = start(stack, "jazz-cash", phone=SILENT_PHONE)
    answers += [*paid, silent, completed(stack, silent["payment_id"])]
    answers += [call(stack, "POST", f"refund/{payment['id']}", {}, role="admin") for payment in paid]
    forged = json.dumps({"pp_TxnRefNo": "P1", "pp_Password": stack.site.secrets.jazz_cash_password})
    for body in ("{", forged):
        requests.post(f"{stack.web_url}/api/v1/payments/jazz-cash/notify", data=body, timeout=10)
    wait_until(lambda: call(stack, "GET", paid[0]["id"])["status"] == "refunded")
    answers += [call(stack, "GET", f"{payment['id']}/timeline") for payment in paid]

    found = written(stack) | {"API answers": str(answers)}
    assert "payment moved" in "".join(found.values()), "the lines that are searched are written"
    assert "provider called" in "".join(found.values())
    leaks = [
        f"{name} in {where}"
        for name, secret in secrets_of(stack).items()
        for where, text in found.items()
        if secret in text
    ]
    assert leaks == []
    assert "payment.push" in found["Flower"]
    assert "jazz_cash.ipn" in found["table notices"]


def test_a_form_carries_the_password_to_the_browser_and_nowhere_else(stack: Stack) -> None:
    dialects = {"JAZZ_CASH_DIALECT": "hosted-1.1", "EASY_PAISA_DIALECT": "hosted"}
    hosted = stack.reconfigured(dialects, only=["web"])
    for wallet in ("jazz-cash", "easy-paisa"):
        started = start(hosted, wallet)
        requests.post(started["form_url"], data=started["payload"], timeout=10)
        reference = call(hosted, "GET", started["payment_id"])["reference"]
        pressed = requests.post(f"{hosted.gateway_url}/_sandbox/wallets/transactions/{reference}/approve", timeout=10)
        follow(pressed.json()["browser"], until="/pay/")
        completed(hosted, started["payment_id"])

    found = written(hosted)
    assert [
        f"{n} in {w}" for n, secret in secrets_of(hosted).items() for w, text in found.items() if secret in text
    ] == []
