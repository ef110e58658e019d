"""The receivers of docs/guides/webhooks.md take what we sign, and nothing else."""

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests

from payproc.outgoing.webhooks.event_types import EventType
from payproc.outgoing.webhooks.sending import retries, signing
from tests.support.databases import ROOT
from tests.support.waiting import wait_until

GUIDE = (ROOT / "docs" / "guides" / "webhooks.md").read_text(encoding="utf-8")
SECRET = signing.new_secret()
BODY = '{"type":"payment.completed","timestamp":"2026-01-31T12:00:00.000000Z","data":{"id":"pay_1","amount":19.90}}'

# The name of each block's file, and what serves it at a port.
SERVED = {
    "Flask": ("app.py", [sys.executable, "-m", "flask", "--app", "app", "run", "--port", "{port}"]),
    "Django": ("hooks.py", [sys.executable, "serve.py", "{port}"]),
    "Node": ("hook.js", ["node", "hook.js"]),
    "PHP": ("index.php", ["php", "-S", "127.0.0.1:{port}", "index.php"]),
}
# What a project of Django's has around a view.
DJANGO = """
import sys
import django
from django.conf import settings
settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="of a test")
django.setup()
from django.urls import path
from hooks import hook
urlpatterns = [path("hook", hook)]
from wsgiref.simple_server import make_server
from django.core.wsgi import get_wsgi_application
make_server("127.0.0.1", int(sys.argv[1]), get_wsgi_application()).serve_forever()
"""


def block(language: str) -> str:
    """The receiver in one language, as the guide prints it."""
    [found] = re.findall(
        rf"^```\w+\n((?:<\?php )?(?:#|//) {language}\n.*?)^```$", GUIDE, flags=re.MULTILINE | re.DOTALL
    )
    return str(found)


@contextmanager
def served(language: str, place: Path) -> Iterator[str]:
    """Run a receiver as a reader would; give its address."""
    name, command = SERVED[language]
    (place / name).write_text(block(language), encoding="utf-8")
    (place / "serve.py").write_text(DJANGO, encoding="utf-8")
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "WEBHOOK_SECRET": SECRET, "PORT": str(port)}
    arguments = [part.format(port=port) for part in command]
    assert shutil.which(arguments[0]) is not None, f"{arguments[0]} is missing"
    with (place / "printed").open("w") as printed:
        process = subprocess.Popen(arguments, cwd=place, env=environment, stdout=printed, stderr=printed)
        try:
            wait_until(lambda: answers(port), what=f"{language}'s receiver")
            yield f"http://127.0.0.1:{port}/hook"
        finally:
            process.kill()
            process.wait()


def answers(port: int) -> bool:
    with closing(socket.socket()) as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0


def headers(*secrets: str, event_id: str = "evt_1", body: str = BODY, now: datetime | None = None) -> Mapping[str, str]:
    signed = signing.headers_of(event_id, body, signed_by=list(secrets), now=now or datetime.now(UTC))
    return {"Content-Type": "application/json", **signed}


def post(url: str, with_headers: Mapping[str, str], body: str = BODY) -> int:
    return requests.post(url, data=body.encode(), headers=dict(with_headers), timeout=10).status_code


@pytest.mark.parametrize("language", SERVED)
def test_a_receiver_of_the_guide_takes_what_is_signed_and_nothing_else(language: str, tmp_path: Path) -> None:
    other, now = signing.new_secret(), datetime.now(UTC)
    with served(language, tmp_path) as url:
        assert post(url, headers(SECRET)) == 204
        assert post(url, headers(SECRET)) == 204
        # While a secret is rotated either of the two is enough.
        assert post(url, headers(other, SECRET, event_id="evt_2")) == 204
        refused = [
            post(url, headers(SECRET), body=BODY.replace("19.90", "19.91")),
            post(url, headers(other)),
            post(url, {**headers(SECRET), "webhook-id": "evt_3"}),
            post(url, headers(SECRET, now=now - timedelta(minutes=10))),
            post(url, headers(SECRET, now=now + timedelta(minutes=10))),
            post(url, {}),
            post(url, {**headers(SECRET), "webhook-timestamp": "soon"}),
        ]
        assert set(refused) == {400}
    said = (tmp_path / "printed").read_text(encoding="utf-8")
    # PHP forgets everything between two requests: its reader has a table.
    assert said.count("payment.completed pay_1") == (3 if language == "PHP" else 2)


def test_the_guide_says_when_is_tried_again() -> None:
    [row] = re.findall(r"^\| after \| at once \|(.*)\|$", GUIDE, flags=re.MULTILINE)
    assert [read(cell) for cell in row.split("|")] == list(retries.AFTER)


def read(cell: str) -> timedelta:
    number, unit = cell.split()
    return timedelta(**{{"s": "seconds", "min": "minutes", "h": "hours"}[unit]: int(number)})


def test_the_guide_names_every_type_of_event() -> None:
    names = [each for each in EventType if each != EventType.WEBHOOK_TEST]
    section = GUIDE.split("## What is told")[1].split("\n\n")[1]
    about, found = "", []
    for word in re.findall(r"`([a-z_.]+)`", section):
        about = word.partition(".")[0] if "." in word else about
        found.append(word if "." in word else f"{about}.{word}")
    assert sorted(found[: len(names)]) == sorted(names)
