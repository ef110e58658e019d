"""What operators see of refunds and disputes on the command line."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from payproc.application import Application
from payproc.cli import app as cli
from payproc.database.models import EmailKind, Payment, Refund, User
from payproc.domain.states import DisputeStatus, Fact, RefundStatus
from tests.support.mailbox import Mailbox


@pytest.fixture
def mailbox(app: Application, customer: User, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    monkeypatch.setenv("DATABASE_URL", app.settings.database_url)
    made = Mailbox(app=app, customer=customer)
    yield made
    made.work()
    assert made.emails(EmailKind.RECEIPT)


@pytest.fixture
def paid(mailbox: Mailbox) -> Payment:
    return mailbox.payment(Fact.PAID)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


def read(*arguments: str) -> Any:
    answer = run(*arguments, "--json")
    assert answer.exit_code == 0, answer.output
    return json.loads(answer.stdout)


def test_refunds_are_listed_newest_first_and_by_status(mailbox: Mailbox, paid: Payment) -> None:
    made: list[Refund] = [mailbox.refund(paid, minor=100 + each) for each in range(3)]
    failed = mailbox.refund(paid, minor=500, status=RefundStatus.FAILED)
    assert [row["id"] for row in read("refund", "list")["refunds"]] == [failed.id, *(r.id for r in reversed(made))]
    assert [row["id"] for row in read("refund", "list", "--status", "failed")["refunds"]] == [failed.id]
    shown = read("refund", "show", failed.id)
    assert (shown["money"], shown["status"], shown["payment_id"]) == ("5.00 PKR", "failed", paid.id)


def test_disputes_are_listed_open_or_closed_or_of_one_payment(mailbox: Mailbox, paid: Payment) -> None:
    lost = mailbox.dispute(paid, DisputeStatus.LOST)
    other = mailbox.payment(Fact.PAID)
    waiting = mailbox.dispute(other, DisputeStatus.NEEDS_RESPONSE)
    assert [row["id"] for row in read("dispute", "list", "--open")["disputes"]] == [waiting.id]
    assert [row["id"] for row in read("dispute", "list", "--closed")["disputes"]] == [lost.id]
    assert [row["id"] for row in read("dispute", "list", "--payment", paid.id)["disputes"]] == [lost.id]
    assert "needs_response" in run("dispute", "list").stdout


def test_a_payment_shows_the_story_of_its_refunds_and_disputes(mailbox: Mailbox, paid: Payment) -> None:
    mailbox.refund(paid, minor=500)
    mailbox.dispute(paid, DisputeStatus.NEEDS_RESPONSE, DisputeStatus.LOST)
    told = [entry["what"] for entry in read("payment", "show", paid.id)["timeline"]]
    assert {"refund.asked", "refund.succeeded", "dispute.needs_response", "dispute.lost"} <= set(told)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("refund", "show", "ref_none"), "There is no refund ref_none"),
        (("refund", "list", "--status", "gone"), "Invalid value"),
        (("refund", "list", "--limit", "0"), "Invalid value"),
        (("dispute", "list", "--limit", "many"), "Invalid value"),
    ],
)
def test_what_cannot_be_shown_is_refused_in_a_line(
    mailbox: Mailbox, paid: Payment, arguments: tuple[str, ...], sentence: str
) -> None:
    assert mailbox.payment_of(EmailKind.RECEIPT).id == paid.id
    answer = run(*arguments)
    assert answer.exit_code in (1, 2)
    assert sentence in answer.output
    assert "Traceback" not in answer.output
