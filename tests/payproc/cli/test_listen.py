"""`listen` prints what happens and sends it on, signed, to a shop that is being written."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from standardwebhooks import Webhook
from typer.testing import CliRunner

from payproc.application import Application
from payproc.cli import app as cli
from payproc.database.models import Event
from payproc.outgoing.webhooks.sending import signing
from tests.support.databases import ROOT
from tests.support.shops.webhooks import answering, receiving


class Listening:
    """The command in a process of its own; what it prints is read line by line."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def interrupt(self) -> int:
        self._process.send_signal(signal.SIGINT)
        return self._process.wait(timeout=20)


@contextmanager
def listening(app: Application, *arguments: str) -> Iterator[Listening]:
    environment = {**os.environ, "DATABASE_URL": app.settings.database_url, "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "payproc", "listen", *arguments]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stderr is not None
            assert process.stderr.readline() == "listening; Ctrl-C ends it\n"
            yield Listening(process)
        finally:
            process.kill()


def told(app: Application, kind: str, sequence: int) -> str:
    data = '{"id":"pay_1","status":"completed","amount":19.90}'
    event = Event(type=kind, subject="pay_1", sequence=sequence, data=data)
    with app.database.transaction() as session:
        session.add(event)
    return event.id


def test_what_happens_is_printed_and_sent_on_with_a_good_signature(app: Application) -> None:
    told(app, "payment.created", 1)
    with receiving() as receiver, listening(app, "--forward", receiver.url, "--type", "payment.*") as command:
        secret = command.line().removeprefix("signed with ")
        told(app, "refund.pending", 2)
        event_id = told(app, "payment.completed", 3)
        line = command.line()
        assert event_id in line
        assert "payment.completed" in line
        assert "pay_1  completed  → 200 (" in line
        receiver.answer = answering(500)
        again = told(app, "payment.refunded", 4)
        assert "→ 500 (" in command.line()
        assert command.interrupt() == 0
    # From now on, and of the types that were asked for; each once, whatever it was answered.
    assert receiver.ids == [event_id, again]
    for got in receiver.received:
        Webhook(secret).verify(got.body, dict(got.headers))
        assert b'"amount":19.90' in got.body


def test_what_commits_late_is_printed_all_the_same(app: Application) -> None:
    with listening(app, "--json") as command:
        with app.database.transaction() as slow:
            early = Event(type="order.paid", subject="ord_1", sequence=1, data="{}")
            slow.add(early)
            slow.flush()
            late = told(app, "payment.completed", 1)
            assert f'"id": "{late}"' in command.line()
        assert f'"id": "{early.id}"' in command.line()
        assert command.interrupt() == 0


def test_one_who_does_not_listen_is_named_and_the_next_event_comes_all_the_same(app: Application) -> None:
    secret = signing.new_secret()
    with listening(app, "--forward", "http://127.0.0.1:9/hook", "--secret", secret) as command:
        for sequence in (1, 2):
            told(app, "payment.completed", sequence)
            assert "it takes no connections" in command.line()
        assert command.interrupt() == 0


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--forward", "http://example.com/hook", "say --anywhere"),
        ("--forward", "http://127.0.0.1.example.com/hook", "say --anywhere"),
        ("--forward", "example.com/hook", "an absolute URL"),
        ("--type", "payment.vanished", "There is no type"),
    ],
)
def test_nothing_leaves_the_machine_unless_that_is_said(option: str, value: str, said: str) -> None:
    result = CliRunner().invoke(cli, ["listen", option, value])
    assert (result.exit_code, result.stdout) == (1, "")
    assert said in result.stderr
