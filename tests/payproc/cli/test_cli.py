import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text, update
from typer.testing import CliRunner, Result

from payproc import __version__, jobs
from payproc.application import Application
from payproc.cli import app as cli
from payproc.cli.terminal.edge import ADMIN
from payproc.database.engine import Database
from payproc.database.models import (
    Base,
    Job,
    JobState,
    Notice,
    NoticeState,
    Payment,
    PaymentEvent,
    Review,
    ReviewKind,
    Role,
    Scope,
    User,
)
from payproc.domain.money import Money
from payproc.domain.requests.payment import PaymentRequest
from payproc.domain.states import PaymentStatus
from payproc.flows import checkout
from payproc.operations.doctor import broken_invariants
from payproc.providers import registry
from payproc.providers.stripe import STRIPE
from payproc.records.identity.users import NotAuthenticated, authenticate, create_user
from payproc.records.reviews import open_review
from tests.support.configuration import settings_of_a_test
from tests.support.databases import ROOT, create_database, drop_database
from tests.support.mailbox import Outgoing


@pytest.fixture
def database(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """A database that the command line is pointed to; every invariant holds when the test is over."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    made = Database(database_url)
    with ExitStack() as after:
        after.callback(made.dispose)
        yield made
        with made.transaction() as session:
            assert not broken_invariants(session)


@pytest.fixture
def payment(database: Database, database_url: str) -> Payment:
    """A payment that has begun at Stripe: an inquiry is staged."""
    made = new_payment(database, database_url)
    with database.transaction() as session:
        session.execute(update(Payment).values(stripe_session_id="cs_1"))
        session.execute(text("UPDATE jobs SET kind = 'payment.inquire', dedupe_key = 'payment.inquire:' || subject"))
    return made


def new_payment(database: Database, database_url: str) -> Payment:
    request = PaymentRequest(
        money=Money.of(1999, "usd"),
        description="Two [red]chairs[/red]",
        success_url="https://example.com/thanks",
        cancel_url="https://example.com/cart",
    )
    configured = settings_of_a_test(database_url)
    providers = registry.build(configured)
    app = Application(settings=configured, database=database, providers=providers, mailer=Outgoing(lambda _: None))
    with database.transaction() as session:
        user = create_user(session, email="amina@example.com", name="Amina Khan", role=Role.CUSTOMER)
    return checkout.take_payment(app, request, user=user, method=STRIPE)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments))


def ok(*arguments: str) -> str:
    result = run(*arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


def answer(*arguments: str) -> Any:
    return json.loads(ok(*arguments, "--json"))


def refused(code: int, *arguments: str) -> str:
    """What one line the command says as it fails with this code."""
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    return result.stderr.strip()


def new_user(email: str = "amina@example.com", role: str = "customer") -> Any:
    return answer("user", "create", "--email", email, "--name", "Amina Khan", "--role", role)


Row = TypeVar("Row", bound=Base)


def only(database: Database, model: type[Row]) -> Row:
    with database.transaction() as session:
        return session.scalars(select(model)).one()


def open_question(database: Database, payment: Payment | None, kind: ReviewKind = ReviewKind.UNSETTLED) -> str:
    with database.transaction() as session:
        subject = payment.id if payment else "ntc_1"
        open_review(session, kind, subject, payment_id=payment.id if payment else None, detail="Look at it.")
        return session.scalars(select(Review.id)).one()


def test_the_version_is_printed_without_a_database() -> None:
    assert ok("--version") == f"payproc {__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["user", "create"],
        ["user", "create", "--email", "a@b.c", "--name", "A", "--role", "king"],
        ["user", "create", "--email", "a@b.c", "--name", "A", "--role", "admin", "--locale", "fr"],
        ["user", "create", "--email", "a@b.c", "--name", " ", "--role", "admin"],
        ["payment", "show"],
        ["payment", "show", ""],
        ["payment", "list", "--limit", "0"],
        ["payment", "list", "--limit", "99999999999999999999"],
        ["payment", "list", "--limit", "ten"],
        ["payment", "list", "--status", "lost"],
        ["job", "list", "--kind", "coffee"],
        ["job", "bury", "job_1"],
        ["job", "bury", "job_1", "--reason", ""],
        ["key", "revoke", ""],
        ["review", "resolve", "rev_1", "--resolution", "x", "--as", "failed"],
        ["db", "upgrade", ""],
        ["doctor", "now"],
        ["ledger", "--format", "xlsx"],
        ["reconcile", "stripe", "--loop", "statement"],
        ["reconcile", "stripe", "now"],
        ["reconcile", "resume"],
        ["reconcile", "show", "--kind", "lost"],
        ["reconcile", "resolve", "fnd_1"],
        ["reconcile", "resolve", "fnd_1", "--resolution", ""],
    ],
)
@pytest.mark.usefixtures("database")
def test_a_command_that_is_misspelt_exits_with_2(arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert "Traceback" not in result.output


def test_a_user_is_made_with_a_key_that_is_shown_once(database: Database) -> None:
    made = new_user(role="operator")
    assert set(made) == {"id", "email", "role", "locale", "api_key"}
    assert (made["email"], made["role"]) == ("amina@example.com", "operator")
    [listed] = answer("user", "list")["users"]
    assert listed["keys"] == [made["api_key"][:12]]
    assert made["api_key"] not in json.dumps(listed)
    assert only(database, User).id == made["id"]


@pytest.mark.usefixtures("database")
def test_a_user_is_written_to_in_the_language_that_was_named() -> None:
    assert new_user()["locale"] == "en"
    create = ("user", "create", "--name", "Bilal", "--role", "customer", "--email", "bilal@example.com")
    assert answer(*create, "--locale", "ur")["locale"] == "ur"
    assert [user["locale"] for user in answer("user", "list")["users"]] == ["ur", "en"]


@pytest.mark.usefixtures("database")
def test_a_key_is_issued_and_revoked_by_its_beginning_its_id_or_the_whole_of_it() -> None:
    first = new_user()["api_key"]
    second = answer("key", "issue", "AMINA@example.com")["api_key"]
    revoked = answer("key", "revoke", first[:12])
    assert answer("key", "revoke", second)["prefix"] == second[:12]
    assert answer("user", "list")["users"][0]["keys"] == []
    assert refused(1, "key", "revoke", revoked["id"]).startswith("error: There is no key in force")
    assert second not in refused(1, "key", "revoke", second)


def scopes_of(database: Database, database_url: str, key: str) -> set[Scope] | None:
    try:
        return set(authenticate(database, key, settings=settings_of_a_test(database_url)).scopes)
    except NotAuthenticated:
        return None


def test_a_key_is_rotated_at_once_and_its_successor_may_do_the_same(database: Database, database_url: str) -> None:
    new_user()
    reader = answer("key", "issue", "amina@example.com", "--scope", "read")["api_key"]
    rotated = answer("key", "rotate", reader)
    assert (rotated["prefix"], rotated["scopes"]) == (reader[:12], ["payments:read"])
    assert scopes_of(database, database_url, reader) is None
    assert scopes_of(database, database_url, rotated["api_key"]) == {Scope.READ}
    assert "There is no key in force" in refused(1, "key", "rotate", reader)


def test_a_rotated_key_is_good_until_its_grace_is_over_and_may_be_ended_sooner(
    database: Database, database_url: str
) -> None:
    first = new_user()["api_key"]
    second = answer("key", "rotate", first, "--grace", "24")["api_key"]
    both = {Scope.READ, Scope.WRITE}
    assert [scopes_of(database, database_url, key) for key in (first, second)] == [both, both]
    assert set(answer("user", "list")["users"][0]["keys"]) == {first[:12], second[:12]}
    assert "ends at" in refused(1, "key", "rotate", first)
    with database.transaction() as session:
        session.execute(text("UPDATE api_keys SET revoked_at = now() WHERE prefix = :first"), {"first": first[:12]})
    assert scopes_of(database, database_url, first) is None
    third = answer("key", "rotate", second, "--grace", "1")["api_key"]
    answer("key", "revoke", second)
    assert [scopes_of(database, database_url, key) for key in (second, third)] == [None, both]


def test_a_key_is_issued_for_what_it_may_do_and_listed_with_it(database: Database, database_url: str) -> None:
    first = new_user()["api_key"]
    reader = answer("key", "issue", "amina@example.com", "--scope", "read")
    assert reader["scopes"] == ["payments:read"]
    both = answer("key", "issue", "amina@example.com", "--scope", "read", "--scope", "write")["api_key"]
    answer("key", "revoke", first)
    listed = answer("key", "list", "amina@example.com")
    assert [(key["prefix"], key["scopes"], key["revoked_at"] is None) for key in listed["keys"]] == [
        (both[:12], ["payments:read", "payments:write"], True),
        (reader["api_key"][:12], ["payments:read"], True),
        (first[:12], ["payments:read", "payments:write"], False),
    ]
    assert answer("key", "list") == listed
    assert "payments:read" in ok("key", "list")
    assert reader["api_key"] not in json.dumps(listed)
    configured = settings_of_a_test(database_url)
    assert authenticate(database, reader["api_key"], settings=configured).scopes == {Scope.READ}
    scraper = answer("key", "issue", "amina@example.com", "--scope", "metrics")["api_key"]
    assert authenticate(database, scraper, settings=configured).scopes == {Scope.METRICS}
    refused(1, "key", "list", "nobody@example.com")
    assert run("key", "issue", "amina@example.com", "--scope", "everything").exit_code == 2


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("name", ["a\nb", "\x1b[31m", "a\x7f"])
def test_what_is_kept_is_one_line_of_text(name: str) -> None:
    made = run("user", "create", "--name", name, "--role", "customer", "--email", "a@example.com")
    assert made.exit_code == 2
    assert answer("user", "list")["users"] == []


@pytest.mark.usefixtures("database")
def test_a_user_that_exists_or_has_no_address_is_refused_in_one_line() -> None:
    new_user()
    create = ("user", "create", "--name", "A", "--role", "customer", "--email")
    assert refused(1, *create, "Amina@example.com") == "error: There is a user Amina@example.com already."
    assert "is not an e-mail address" in refused(1, *create, "amina")


@pytest.mark.usefixtures("database", "configured")
def test_an_order_is_written_down_and_listed() -> None:
    new_user()
    order = ("order", "create", "--email", "amina@example.com", "--reference", "A-1", "--currency", "usd", "--amount")
    made = answer(*order, "19.99")
    assert (made["amount_minor"], made["money"], made["status"]) == (1999, "19.99 USD", "open")
    assert [listed["id"] for listed in answer("order", "list")["orders"]] == [made["id"]]
    assert "19.99 USD" in ok("order", "list")
    assert "There is an order 'A-1' already" in refused(1, *order, "19.99")
    assert "plain positive number" in refused(1, *order, "1e3")
    assert "not supported" in refused(1, *order[:-3], "--currency", "xyz", "--amount", "1")
    assert "is not an e-mail address" in refused(1, *order[:3], "nobody", *order[4:], "19.99")


def test_a_payment_is_shown_with_its_timeline_and_as_it_was_typed(payment: Payment) -> None:
    shown = answer("payment", "show", payment.id)
    assert (shown["id"], shown["money"], shown["stripe_session_id"]) == (payment.id, "19.99 USD", "cs_1")
    assert {entry["what"] for entry in shown["timeline"]} == {"payment.created", "job.due"}
    assert all(entry["at"].endswith("+00:00") for entry in shown["timeline"])
    created = next(entry for entry in shown["timeline"] if entry["what"] == "payment.created")
    assert (created["from"], created["to"], created["source"]) == (None, "pending", "api")
    assert (shown["amount_refunded_minor"], shown["amount_refundable_minor"], shown["decline_reason"]) == (0, 0, None)
    table = ok("payment", "show", payment.id)
    assert "Two [red]chairs[/red]" in table
    assert " UTC" in table
    assert "the provider will be asked again" in table


def test_payments_are_listed_by_status(payment: Payment) -> None:
    assert [row["id"] for row in answer("payment", "list", "--status", "pending")["payments"]] == [payment.id]
    assert answer("payment", "list", "--status", "failed") == {"payments": [], "more": False}
    assert ok("payment", "list", "--status", "failed") == "No payments.\n"
    assert payment.id in ok("payment", "list")


def test_a_long_list_is_cut_and_says_so(database: Database) -> None:
    with database.transaction() as session:
        for number in range(21):
            create_user(session, email=f"{number}@example.com", name="A", role=Role.CUSTOMER)
            jobs.stage(session, jobs.Kind.PRUNE, str(number))
    for noun in ("user", "job"):
        page = answer(noun, "list")
        assert (len(page[f"{noun}s"]), page["more"]) == (20, True)
        assert f"The newest 20 {noun}s; there are more" in ok(noun, "list")
        assert len(answer(noun, "list", "--limit", "21")[f"{noun}s"]) == 21
        assert "there are more" not in ok(noun, "list", "--limit", "21")


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings that a command needs besides the database, where it must know what a provider can do."""
    monkeypatch.setenv("SECRET_KEY", "0123456789abcdef")
    monkeypatch.setenv("STRIPE_SECRET_KEY", "sk_test_payproc")
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRET", "whsec_payproc")


@pytest.mark.usefixtures("configured")
def test_an_inquiry_and_a_cancellation_are_staged(database: Database, payment: Payment) -> None:
    answer("payment", "inquire", payment.id)
    answer("payment", "cancel", payment.id)
    with database.transaction() as session:
        kinds = set(session.scalars(select(Job.kind).where(Job.state == JobState.READY)))
    assert kinds == {jobs.Kind.INQUIRE_PAYMENT, jobs.Kind.CANCEL_PAYMENT}


@pytest.mark.usefixtures("database")
def test_a_command_that_lacks_settings_names_them(payment: Payment) -> None:
    assert "STRIPE_SECRET_KEY is not set" in run("payment", "cancel", payment.id).stderr


@pytest.mark.usefixtures("configured")
def test_an_ended_payment_is_neither_asked_about_nor_cancelled(database: Database, payment: Payment) -> None:
    review = open_question(database, payment)
    answer("review", "resolve", review, "--resolution", "it was cash", "--as", "completed")
    assert "only an open payment" in refused(1, "payment", "inquire", payment.id)
    assert "only an open payment" in refused(1, "payment", "cancel", payment.id)


@pytest.mark.parametrize(
    "arguments",
    [
        ("payment", "show"),
        ("payment", "inquire"),
        ("payment", "cancel"),
        ("notice", "show"),
        ("notice", "replay"),
        ("job", "requeue"),
        ("key", "revoke"),
        ("key", "rotate"),
        ("key", "issue"),
        ("reconcile", "show"),
        ("reconcile", "resume"),
    ],
)
@pytest.mark.usefixtures("database", "configured")
def test_what_does_not_exist_is_named_in_one_line(arguments: tuple[str, str]) -> None:
    assert "nothing_1" in refused(1, *arguments, "nothing_1")
    assert refused(2, *arguments, "\udcff" * 6) == "error: what was given is not UTF-8 text"


@pytest.fixture
def paid(database: Database, payment: Payment) -> Payment:
    """The payment, completed by an operator."""
    answer("review", "resolve", open_question(database, payment), "--resolution", "it was cash", "--as", "completed")
    return payment


@pytest.mark.usefixtures("paid")
def test_the_ledger_is_shown_as_balances() -> None:
    found = answer("ledger")
    assert found["at"] is None
    assert [(each["account"], each["money"], each["amount_minor"]) for each in found["balances"]] == [
        ("receivable", "19.99 USD", 1999),
        ("sales", "-19.99 USD", -1999),
    ]
    assert "-19.99 USD" in ok("ledger", "--format", "table")


def test_the_ledger_is_exported(paid: Payment) -> None:
    rows = list(csv.DictReader(ok("ledger", "--format", "csv").splitlines()))
    assert [(row["journal"], row["amount"]) for row in rows] == [
        (f"sale:{paid.id}", "19.99"),
        (f"sale:{paid.id}", "-19.99"),
    ]
    text = ok("ledger", "--format", "beancount")
    assert f'  payment: "{paid.id}"\n' in text
    assert "  Income:Sales:Stripe  -19.99 USD\n" in text


@pytest.mark.usefixtures("paid")
def test_the_ledger_of_an_earlier_moment_is_empty() -> None:
    assert ok("ledger", "--at", "2020-01-01T00:00:00Z") == "No balances.\n"
    assert answer("ledger", "--at", "2020-01-01T05:00:00+05:00") == {
        "at": "2020-01-01T00:00:00+00:00",
        "balances": [],
    }
    assert ok("ledger", "--at", "2020-01-01T00:00:00Z", "--format", "beancount") == ""


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--at", "noon"), "is not a time"),
        (("--at", ""), "is not a time"),
        (("--at", "2020-01-01T00:00:00"), "needs its offset"),
        (("--format", "csv", "--json"), "--json shows balances"),
    ],
)
@pytest.mark.usefixtures("database")
def test_a_ledger_that_cannot_be_shown_says_why_in_one_line(arguments: tuple[str, ...], reason: str) -> None:
    assert reason in refused(1, "ledger", *arguments)


def store_notice(database: Database, *, state: str = "ignored", body: bytes = b'{"id": "evt_1"}') -> None:
    with database.transaction() as session:
        row = Notice(
            id="ntc_1", provider="stripe", key="evt_1", kind="a.b", body=body, headers={"user-agent": "Stripe"},
            state=NoticeState(state), reason="of no payment",
        )  # fmt: skip
        session.add(row)


def test_a_notice_is_listed_shown_and_replayed(database: Database) -> None:
    store_notice(database)
    assert answer("notice", "list", "--state", "new")["notices"] == []
    assert [row["id"] for row in answer("notice", "list", "--state", "ignored")["notices"]] == ["ntc_1"]
    shown = answer("notice", "show", "ntc_1")
    assert (shown["body"], shown["headers"]) == ({"id": "evt_1"}, {"user-agent": "Stripe"})
    assert '  "id": "evt_1"' in ok("notice", "show", "ntc_1")
    assert answer("notice", "replay", "ntc_1")["state"] == "new"
    assert (only(database, Job).kind, only(database, Notice).state) == ("notice.apply", NoticeState.NEW)


@pytest.mark.parametrize("body", [b'{"a": "\\u001b[31m\\ud800\\u0000"}', b"\x1b[31mred\xff", b"", b"[" * 5000])
def test_whatever_a_notice_holds_is_harmless_to_a_terminal(database: Database, body: bytes) -> None:
    store_notice(database, body=body)
    assert "\x1b" not in ok("notice", "show", "ntc_1")
    answer("notice", "show", "ntc_1")


def test_a_dead_job_is_requeued_once(database: Database, payment: Payment) -> None:
    job = only(database, Job)
    assert "only a dead job" in refused(1, "job", "requeue", job.id)
    answer("job", "bury", job.id, "--reason", "stuck")
    assert answer("job", "requeue", job.id)["state"] == "ready"
    assert [row["subject"] for row in answer("job", "list", "--state", "ready")["jobs"]] == [payment.id]


@pytest.mark.usefixtures("payment")
def test_all_that_died_of_one_cause_are_requeued_together(database: Database) -> None:
    job = only(database, Job)
    answer("job", "bury", job.id, "--reason", "the key was refused")
    assert answer("job", "requeue", "--all", "--kind", "mail.send")["jobs"] == []
    assert [each["id"] for each in answer("job", "requeue", "--all", "--kind", job.kind)["jobs"]] == [job.id]
    assert answer("job", "requeue", "--all")["jobs"] == []


@pytest.mark.parametrize("words", [(), ("job_1", "--all"), ("job_1", "--kind", "mail.send")])
def test_requeue_wants_one_job_or_all_of_them(words: tuple[str, ...]) -> None:
    assert "Name one job, or say --all" in refused(1, "job", "requeue", *words)


def test_a_job_whose_work_was_staged_anew_is_not_requeued(database: Database, payment: Payment) -> None:
    job = only(database, Job)
    answer("job", "bury", job.id, "--reason", "stuck")
    answer("payment", "inquire", payment.id)
    assert "open already" in refused(1, "job", "requeue", job.id)


def test_a_payment_whose_job_is_buried_becomes_a_question(database: Database, payment: Payment) -> None:
    answer("job", "bury", only(database, Job).id, "--reason", "the provider is gone")
    [question] = answer("review", "list")["reviews"]
    assert question["payment_id"] == payment.id
    assert "the provider is gone" in question["detail"]
    assert "only an open job" in refused(1, "job", "bury", only(database, Job).id, "--reason", "again")


def test_a_notice_dies_with_its_job_and_lives_again_with_it(database: Database) -> None:
    store_notice(database)
    answer("notice", "replay", "ntc_1")
    job = only(database, Job)
    answer("job", "bury", job.id, "--reason", "not ours")
    assert only(database, Notice).state is NoticeState.DEAD
    answer("job", "requeue", job.id)
    assert only(database, Notice).state is NoticeState.NEW
    assert only(database, Job).state is JobState.READY


@pytest.mark.parametrize(("decision", "status"), [("completed", "completed"), ("cancelled", "cancelled")])
def test_an_operator_decides_a_payment_and_is_its_evidence(
    database: Database, payment: Payment, decision: str, status: str
) -> None:
    review = open_question(database, payment)
    answered = answer("review", "resolve", review, "--resolution", "called the bank", "--as", decision)
    assert (answered["payment_status"], answered["resolution"]) == (status, "called the bank")
    with database.transaction() as session:
        event = session.scalars(select(PaymentEvent).order_by(PaymentEvent.number.desc()).limit(1)).one()
    assert (event.source, event.evidence, event.to_status) == ("operator", review, status)
    assert answer("review", "list")["reviews"] == []
    assert len(answer("review", "list", "--all")["reviews"]) == 1
    assert "resolved already" in refused(1, "review", "resolve", review, "--resolution", "again")


def test_a_decision_that_comes_too_late_changes_nothing(database: Database, payment: Payment) -> None:
    answer("review", "resolve", open_question(database, payment), "--resolution", "paid", "--as", "completed")
    with database.transaction() as session:
        open_review(session, ReviewKind.PAID_TWICE, "ord_1", payment_id=payment.id, detail="Paid twice.")
    [question] = answer("review", "list")["reviews"]
    late = refused(1, "review", "resolve", question["id"], "--resolution", "no", "--as", "cancelled")
    assert late == f"error: Payment {payment.id} is completed and cannot become cancelled; nothing was changed."
    assert len(answer("review", "list")["reviews"]) == 1
    answer("review", "resolve", question["id"], "--resolution", "refunded one")


def test_an_open_payment_is_asked_about_again_when_its_question_is_answered(
    database: Database, payment: Payment
) -> None:
    review = open_question(database, payment)
    answer("job", "bury", only(database, Job).id, "--reason", "stuck")
    for question in answer("review", "list")["reviews"]:
        answer("review", "resolve", question["id"], "--resolution", "mended")
    [job] = answer("job", "list", "--state", "ready")["jobs"]
    assert (job["kind"], job["subject"]) == ("payment.inquire", payment.id)
    assert review in {question["id"] for question in answer("review", "list", "--all")["reviews"]}


def test_a_payment_that_never_started_is_not_forgotten_by_answering_its_question(
    database: Database, database_url: str
) -> None:
    new_payment(database, database_url)
    job = only(database, Job)
    answer("job", "bury", job.id, "--reason", "wrong key")
    [question] = answer("review", "list")["reviews"]
    answer("review", "resolve", question["id"], "--resolution", "mended")
    [ready] = answer("job", "list", "--state", "ready")["jobs"]
    # Whoever runs it finds that there is nothing to ask about yet, and starts the payment (integration/test_polls.py).
    assert (ready["kind"], ready["subject"]) == ("payment.inquire", job.subject)


def test_a_question_about_no_payment_is_answered_without_a_decision(database: Database) -> None:
    review = open_question(database, None, ReviewKind.ORPHAN_NOTICE)
    resolve = ("review", "resolve", review, "--resolution", "made in the Dashboard")
    assert "about no payment" in refused(1, *resolve, "--as", "completed")
    assert answer(*resolve)["payment_status"] is None


def test_the_doctor_finds_nothing_in_a_healthy_database(payment: Payment) -> None:
    assert payment.status is PaymentStatus.PENDING
    assert answer("doctor")["ok"] is True
    assert "broken" not in ok("doctor")


def test_the_doctor_names_what_is_broken_and_exits_with_1(database: Database, payment: Payment) -> None:
    with database.transaction() as session:
        session.execute(update(Job).values(state=JobState.DEAD))
    result, document = run("doctor"), run("doctor", "--json")
    assert (result.exit_code, document.exit_code) == (1, 1)
    assert f"open_payment_has_work_or_review: {payment.id} is pending" in result.stdout
    broken = {name: found for name, found in json.loads(document.stdout)["invariants"].items() if found}
    assert list(broken) == ["open_payment_has_work_or_review"]
    with database.transaction() as session:
        session.execute(update(Job).values(state=JobState.READY))


def test_the_settings_are_shown_without_their_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:hunter2@db/payproc")
    monkeypatch.setenv("SECRET_KEY", "hunter2hunter2hunter2")
    monkeypatch.setenv("STRIPE_SECRET_KEY", "sk_test_hunter2")
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRET", "whsec_hunter2,whsec_hunter3")
    monkeypatch.setenv("SMTP_URL", "smtp://u:hunter2@mail")
    monkeypatch.setenv("WORK_LEASE", "2m")
    shown = answer("settings", "check")["settings"]
    secret = ("DATABASE_URL", "SECRET_KEY", "STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET", "SMTP_URL", "BROKER_URL")
    assert {name: shown[name] for name in secret} == dict.fromkeys(secret, "set")
    assert (shown["JWT_SECRET"], shown["WORK_LEASE"], shown["ENVIRONMENT"]) == ("not set", "2m", "development")
    durations = {
        "IDEMPOTENCY_KEY_LIFE": "72h",
        "PUSH_TIMEOUT": "100s",
        "POLL_SCHEDULE_STRIPE": "1m, 5m, 5m, 5m, 5m, 5m, 1h",
    }
    assert {name: shown[name] for name in durations} == durations
    assert "hunter" not in ok("settings", "check") + json.dumps(shown)


def test_every_problem_of_the_settings_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRIPE_SECRET_KEY", "sk_test_hunter2")
    monkeypatch.setenv("WORK_LEASE", "soon")
    result, document = run("settings", "check"), run("settings", "check", "--json")
    assert (result.exit_code, document.exit_code) == (2, 2)
    lines = result.stderr.splitlines()
    assert "error: DATABASE_URL is not set" in lines
    assert "error: WORK_LEASE: 'soon' is not a duration such as 20s, 5m or 1h" in lines
    assert [f"error: {problem}" for problem in json.loads(document.stdout)["problems"]] == lines


READS = [("user", "list"), ("payment", "show", "pay_1"), ("doctor",), ("db", "current"), ("db", "upgrade")]


@pytest.mark.parametrize("arguments", READS)
def test_a_missing_database_url_is_named(arguments: tuple[str, ...]) -> None:
    assert refused(2, *arguments) == "error: DATABASE_URL is not set"


@pytest.mark.parametrize("url", ["hunter2", "postgresql://u:hunter2@h:port/db", "postgresql://"])
def test_an_address_that_is_none_is_refused_without_its_password(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    result = run("doctor")
    assert result.exit_code in (2, 3)
    assert "hunter2" not in result.output
    assert result.output.count("\n") == 1


@pytest.mark.parametrize("arguments", READS)
@pytest.mark.parametrize("url", ["postgresql://u:hunter2@127.0.0.1:9/db", "postgresql://u:hun/ter2@127.0.0.1:9/db"])
def test_a_database_that_does_not_answer_is_one_line(
    arguments: tuple[str, ...], url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    assert refused(3, *arguments) == "error: the server of DATABASE_URL does not answer"


def test_a_database_that_does_not_exist_is_told_apart(postgres: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", postgres.url("nothing_of_ours"))
    assert refused(3, "user", "list") == "error: the server of DATABASE_URL has no such database or user"


@pytest.fixture
def empty(postgres: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    create_database(postgres, "payproc_empty")
    monkeypatch.setenv("DATABASE_URL", postgres.url("payproc_empty"))
    yield
    drop_database(postgres, "payproc_empty")


@pytest.mark.usefixtures("empty")
def test_a_database_is_brought_forward_and_back() -> None:
    hint = "error: the database lacks our tables: run `python -m payproc db upgrade`"
    assert refused(3, "user", "list") == hint
    assert refused(3, "doctor") == hint
    assert answer("db", "current")["revision"] is None
    assert answer("db", "upgrade", "0001")["revision"] == "0001"
    newest = answer("db", "upgrade")
    assert newest["revision"] == newest["newest"] == answer("db", "current")["revision"]
    assert answer("user", "list")["users"] == []
    assert "nonsense" in refused(1, "db", "upgrade", "nonsense")
    assert "nonsense" in refused(1, "db", "downgrade", "nonsense")
    assert answer("db", "downgrade", "-1")["revision"] != newest["revision"]
    assert answer("db", "downgrade", "base")["revision"] is None
    assert refused(3, "user", "list") == hint


def test_what_going_back_would_lose_is_named_and_kept_until_somebody_says_so(
    database: Database, payment: Payment
) -> None:
    newest = answer("db", "current")["revision"]
    told = refused(1, "db", "downgrade", "0003")
    assert "payments.encrypted_payer" not in told  # nobody's is kept
    assert "users.locale (of 1 rows)" in told
    assert "--yes-lose-data" in told
    assert answer("db", "current")["revision"] == newest
    assert "(1 of 1 rows)" in refused(1, "db", "downgrade", "base")
    with database.transaction() as session:
        assert session.get_one(Payment, payment.id).status is PaymentStatus.PENDING
    assert answer("db", "downgrade", "0003", "--yes-lose-data")["revision"] == "0003"
    assert answer("db", "upgrade")["revision"] == newest
    with database.transaction() as session:
        assert session.get_one(Payment, payment.id).status is PaymentStatus.PENDING


@pytest.mark.usefixtures("database")
def test_a_column_that_only_changes_its_name_is_not_taken_for_lost(database: Database, database_url: str) -> None:
    new_payment(database, database_url)
    with database.transaction() as session:
        session.execute(
            text("""
                INSERT INTO idempotency_keys (user_id, key, fingerprint, subject, locked_until)
                SELECT user_id, 'k', 'f', id, now() FROM payments
            """)
        )
    assert "idempotency_keys" not in refused(1, "db", "downgrade", "0004")


@pytest.mark.usefixtures("configured")
def test_the_operator_of_the_command_line_is_nobody_in_the_database(database: Database, payment: Payment) -> None:
    answer("payment", "cancel", payment.id)
    with database.transaction() as session:
        assert ADMIN not in session
        assert list(session.scalars(select(User.email))) == ["amina@example.com"]


nouns: dict[str, Callable[[str], list[str]]] = {
    "payment show": lambda word: ["payment", "show", "--", word],
    "key revoke": lambda word: ["key", "revoke", "--", word],
    "job bury": lambda word: ["job", "bury", "--reason", word, "--", word],
    "reconcile show": lambda word: ["reconcile", "show", "--csv", "--", word],
    "reconcile resolve": lambda word: ["reconcile", "resolve", "--resolution", word, "--", word],
    "reconcile stripe": lambda word: ["reconcile", "stripe", f"--since={word}", f"--until={word}"],
    "order create": lambda word: [
        *("order", "create", f"--email={word}", f"--reference={word}", f"--amount={word}", f"--currency={word}"),
    ],
    "user create": lambda word: ["user", "create", f"--email={word}", f"--name={word}", "--role=customer"],
}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(sorted(nouns)), st.text())
@pytest.mark.usefixtures("database")
def test_no_argument_whatever_ends_in_a_traceback(noun: str, word: str) -> None:
    result = run(*nouns[noun](word))
    assert result.exit_code in (0, 1, 2)
    assert result.exception is None or isinstance(result.exception, SystemExit)


def test_control_c_ends_a_waiting_command_with_130(database: Database, payment: Payment) -> None:
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    with database.transaction() as holder:
        holder.get_one(Job, only(database, Job).id, with_for_update=True)
        command = [sys.executable, "-m", "payproc", "job", "bury", only(database, Job).id, "--reason", "stuck"]
        with subprocess.Popen(
            command, cwd=ROOT, env=dict(os.environ), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            while not holder.scalar(waiting):
                assert process.poll() is None
                holder.execute(text("SELECT pg_stat_clear_snapshot()"))
            process.send_signal(signal.SIGINT)
            output, errors = process.communicate()
    assert (process.returncode, output) == (130, "")
    assert "Traceback" not in errors
    assert only(database, Job).state is JobState.READY
    assert payment.status is PaymentStatus.PENDING


def test_the_command_line_imports_neither_flask_nor_celery() -> None:
    program = "import sys, payproc.cli; print([m for m in sys.modules if m.partition('.')[0] in ('flask', 'celery')])"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
