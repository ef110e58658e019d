"""The examples are shops: each sells, hears that it was paid, thanks its customer and gives the money back."""

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from sandbox.stack.running import Stack
from tests.support.databases import ROOT
from tests.support.waiting import wait_until

pytestmark = pytest.mark.processes

# The simulated wallet's customer who says yes (docs/sandbox.md).
APPROVING = {"phone": "03001234567", "cnic": "345678"}


@dataclass(frozen=True, kw_only=True)
class Example:
    """A shop of the examples that runs."""

    url: str
    stack: Stack

    def post(self, path: str, **form: str) -> requests.Response:
        return requests.post(f"{self.url}{path}", data=form, timeout=30, allow_redirects=False)

    def thanks(self, reference: str) -> str:
        return requests.get(f"{self.url}/thanks", params={"order": reference}, timeout=10).text

    def order(self, reference: str) -> Any:
        key = {"Authorization": f"Bearer {self.stack.keys['shop']}"}
        return requests.get(f"{self.stack.web_url}/api/v1/orders/{reference}", headers=key, timeout=10).json()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def command_of(name: str, port: int) -> list[str]:
    match name:
        case "flask":
            place = str(ROOT / "examples" / "flask" / "shop.py")
            return [sys.executable, "-m", "flask", "--app", place, "run", "--port", str(port)]
        case _:
            php = shutil.which("php")
            assert php is not None, "php-cli is missing"
            return [php, "-S", f"127.0.0.1:{port}", str(ROOT / "examples" / "php" / "shop.php")]


@contextmanager
def running(name: str, stack: Stack, place: Path) -> Iterator[Example]:
    """Run an example as its first lines say, with an endpoint that tells it what was paid."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = os.environ | {
        "PAYPROC_URL": stack.web_url,
        "PAYPROC_KEY": stack.keys["shop"],
        "WEBHOOK_SECRET": secret_of_an_endpoint(stack, f"{url}/hook"),
        "SHOP_URL": url,
        "PYTHONPATH": str(ROOT / "clients" / "python" / "src"),
        "TMPDIR": str(place),
    }
    with (place / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(command_of(name, port), env=environment, stdout=log, stderr=log)
        try:
            wait_until(lambda: answers(url), what=f"the {name} shop up")
            yield Example(url=url, stack=stack)
        finally:
            process.terminate()
            process.wait(timeout=10)


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=2).ok
    except requests.ConnectionError:
        return False


def secret_of_an_endpoint(stack: Stack, url: str) -> str:
    made = requests.post(
        f"{stack.web_url}/api/v1/webhook-endpoints",
        json={"url": url, "event_types": ["order.*"]},
        headers={"Authorization": f"Bearer {stack.keys['shop']}"},
        timeout=10,
    )
    assert made.status_code == 201, made.text
    return str(made.json()["secret"])


def pay_by_jazz_cash(pay_url: str) -> None:
    """Do as the order's customer does in a browser without scripts."""
    page = requests.get(pay_url, timeout=10).text
    after = re.search(r'name="after" value="([^"]*)"', page)
    assert after, page
    form = {"method": "jazz_cash", "after": after[1], **APPROVING}
    origin = "://".join(urlsplit(pay_url)[:2])
    begun = requests.post(pay_url, data=form, headers={"Origin": origin}, timeout=30, allow_redirects=False)
    assert begun.status_code == 303, begun.text


@pytest.mark.parametrize("name", ["flask", "php"])
def test_an_example_sells_hears_of_it_thanks_and_gives_back(stack: Stack, yard: Path, name: str) -> None:
    with running(name, stack, yard) as example:
        sold = example.post("/buy")
        assert sold.status_code == 303, sold.text
        pay_url = sold.headers["Location"]
        order = newest_order(example)
        (reference,) = parse_qs(urlsplit(order["success_url"]).query)["order"]
        assert "We wait to hear" in example.thanks(reference)
        pay_by_jazz_cash(pay_url)
        wait_until(lambda: "is on its way" in example.thanks(reference), seconds=30, what="the shop told of it")
        assert example.order(reference)["status"] == "paid"
        assert example.post("/refund", order=reference).text in ("pending", "manual", "succeeded")


def newest_order(example: Example) -> Any:
    key = {"Authorization": f"Bearer {example.stack.keys['shop']}"}
    listed = requests.get(f"{example.stack.web_url}/api/v1/orders", headers=key, timeout=10).json()
    return listed["orders"][0]


@pytest.mark.parametrize("name", ["flask", "php"])
def test_an_example_believes_no_webhook_that_is_not_signed(stack: Stack, yard: Path, name: str) -> None:
    with running(name, stack, yard) as example:
        forged = requests.post(
            f"{example.url}/hook",
            data='{"type":"order.paid","data":{"reference":"A-1"}}',
            headers={"webhook-id": "evt_1", "webhook-timestamp": "1700000000", "webhook-signature": "v1,c2lnbmVk"},
            timeout=10,
        )
        assert forged.status_code == 400
        assert "We wait to hear" in example.thanks("A-1")


@pytest.mark.parametrize("name", ["flask/shop.py", "php/shop.php"])
def test_an_example_is_a_shop_of_forty_lines_at_most(name: str) -> None:
    lines = (ROOT / "examples" / name).read_text(encoding="utf-8").splitlines()
    assert sum(bool(line.strip()) for line in lines) <= 40
