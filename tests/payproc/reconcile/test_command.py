"""`python -m payproc reconcile`, beside Stripe's simulator."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from payproc.cli import app as cli
from payproc.database.models import FindingKind, Loop, Payment, ReconciliationRun, RunState
from payproc.domain.states import PaymentStatus
from payproc.providers.listing import Window
from payproc.providers.stripe import STRIPE
from payproc.reconcile import runs
from tests.payproc.reconcile.audit import Audit
from tests.support.configuration import WEBHOOK_SECRET
from tests.support.databases import ROOT
from tests.support.seeding import Seeded

OBJECTS = ("reconcile", "stripe", "--loop", "objects")


@pytest.fixture(autouse=True)
def environment(audit: Audit, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the command line is pointed to: the test's database, and the simulator."""
    monkeypatch.setenv("ENVIRONMENT", "test")
    monkeypatch.setenv("DATABASE_URL", audit.world.app.settings.database_url)
    monkeypatch.setenv("SECRET_KEY", "0123456789abcdef")
    monkeypatch.setenv("STRIPE_SECRET_KEY", "sk_test_payproc")
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRET", WEBHOOK_SECRET)
    monkeypatch.setenv("STRIPE_API_BASE", audit.world.gateway.base_url)
    monkeypatch.setenv("PROVIDER_READ_TIMEOUT", "2s")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments))


def answer(code: int, *arguments: str) -> Any:
    result = run(*arguments, "--json")
    assert (result.exit_code, result.stderr) == (code, "")
    return json.loads(result.stdout)


def refused(*arguments: str) -> str:
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    return result.stderr


def earlier(audit: Audit, payment: Payment) -> None:
    """Let a payment be an hour old on both sides: what is younger may still be on its way."""
    audit.world.age("payments", payment.id, created_at="1 hour")
    hour_ago = int((datetime.now(UTC) - timedelta(hours=1)).timestamp())
    assert payment.stripe_session_id is not None
    there = audit.world.stripe().v1.checkout.sessions.retrieve(payment.stripe_session_id)
    audit.patch(there.id, created=hour_ago)
    audit.patch(str(there.payment_intent), created=hour_ago)


def altered(audit: Audit) -> Payment:
    paid = audit.paid()
    audit.patch(paid.stripe_payment_intent_id, amount_received=9999)
    earlier(audit, paid)
    return paid


class TestStripe:
    def test_where_nothing_differs_it_says_so_and_exits_with_0(self, audit: Audit) -> None:
        earlier(audit, audit.paid())
        told = run("reconcile", "stripe")
        assert (told.exit_code, told.stderr) == (0, "")
        lines = told.stdout.splitlines()
        assert lines[-1] == "Nothing is open."
        assert [line.partition(":")[0] for line in lines[:-1]] == ["events", "objects", "money"]
        assert re.match(r"objects: 1 compared in \d+\.\ds with \d calls, run run_\w+\.$", lines[1])

    def test_what_stays_open_is_told_by_kind_and_exits_with_4(self, audit: Audit) -> None:
        altered(audit)
        told = run(*OBJECTS)
        assert told.exit_code == 4
        assert re.search(r"objects +│ amount_mismatch +│ 1 +│ 0", told.stdout)
        assert "1 open: python -m payproc reconcile show --findings\n" in told.stdout
        assert audit.kinds(is_open=True) == [FindingKind.AMOUNT_MISMATCH]

    def test_what_is_repaired_leaves_nothing_open(self, audit: Audit) -> None:
        lost = audit.world.started()
        audit.world.act(lost, "pay")
        earlier(audit, lost)
        document = answer(0, *OBJECTS)
        assert document["open"] == 0
        [told] = document["runs"]
        assert (told["found"], told["repaired"], told["state"]) == (1, 1, "done")
        assert told["counts"]["repaired"] == {"missed_event": 1}
        assert told["period"].startswith("by hand at ")
        assert audit.world.status(lost.id) is PaymentStatus.COMPLETED

    def test_a_dry_run_exits_with_4_for_what_it_would_repair_and_does_nothing(self, audit: Audit) -> None:
        lost = audit.world.started()
        audit.world.act(lost, "pay")
        earlier(audit, lost)
        told = run(*OBJECTS, "--dry-run")
        assert told.exit_code == 4
        assert "would be repaired" in told.stdout
        assert audit.world.status(lost.id) is PaymentStatus.PENDING
        assert audit.findings() == []

    def test_the_window_is_the_one_that_is_named(self, audit: Audit) -> None:
        altered(audit)
        noon = (datetime.now(UTC) - timedelta(days=3)).replace(microsecond=0)
        told = answer(0, *OBJECTS, "--since", (noon - timedelta(days=1)).isoformat(), "--until", noon.isoformat())
        assert told["runs"][0]["window_end"] == noon.isoformat()
        assert answer(4, *OBJECTS, "--since", noon.isoformat())["runs"][0]["window_begin"] == noon.isoformat()

    @pytest.mark.parametrize(
        ("arguments", "reason"),
        [
            (("--since", "yesterday"), "--since yesterday is not a time such as"),
            (("--until", "2026-01-01T00:00:00"), "--until 2026-01-01T00:00:00 needs its offset"),
            (("--since", "2026-01-02T00:00:00Z", "--until", "2026-01-01T00:00:00Z"), "Nothing lies between"),
            (("--since", "2026-01-01T00:00:00Z", "--until", "2026-01-01T05:00:00+05:00"), "Nothing lies between"),
            (("--until", "2999-01-01T00:00:00Z"), "is still to come"),
            (("--since", "0001-01-01T00:00:00+14:00"), "is out of all time"),
        ],
    )
    def test_a_wrong_time_is_one_line_and_begins_nothing(
        self, audit: Audit, arguments: tuple[str, ...], reason: str
    ) -> None:
        assert reason in refused("reconcile", "stripe", *arguments)
        assert audit.world.rows(ReconciliationRun) == []

    def test_an_unknown_loop_exits_with_2(self) -> None:
        assert run("reconcile", "stripe", "--loop", "wallets").exit_code == 2

    def test_one_that_is_going_on_is_waited_for(self, audit: Audit) -> None:
        begun(audit, Loop.OBJECTS)
        assert "A run of objects over stripe is going on" in refused(*OBJECTS)

    def test_where_stripe_is_down_it_says_how_to_go_on_and_goes_on(self, audit: Audit) -> None:
        earlier(audit, audit.paid())
        audit.world.break_stripe("GET /v1/refunds", "error_500_before", times=None)
        said = refused(*OBJECTS)
        [stopped] = audit.world.rows(ReconciliationRun)
        assert f"carry it on: python -m payproc reconcile resume {stopped.id}\n" in said
        assert (stopped.state, stopped.position["step"]) == (RunState.RUNNING, "refunds")

        audit.world.mend_stripe()
        [told] = answer(0, "reconcile", "resume", stopped.id)["runs"]
        assert (told["id"], told["state"], told["counts"]["compared"]["payments"]) == (stopped.id, "done", 1)

    def test_control_c_says_how_to_go_on(self, audit: Audit) -> None:
        audit.world.break_stripe("GET /v1/refunds", "slow", seconds=60)
        command = [sys.executable, "-m", "payproc", *OBJECTS]
        environment = dict(os.environ) | {"PROVIDER_READ_TIMEOUT": "50s"}
        with subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            while not stands_at(audit, "refunds"):
                assert process.poll() is None
            process.send_signal(signal.SIGINT)
            output, errors = process.communicate()
        [stopped] = audit.world.rows(ReconciliationRun)
        assert (process.returncode, output) == (130, "")
        assert errors == (
            "Interrupted. The run over objects stands after its last page; "
            f"carry it on: python -m payproc reconcile resume {stopped.id}\n"
        )
        assert stopped.state is RunState.RUNNING


def stands_at(audit: Audit, step: str) -> bool:
    return [each.position["step"] for each in audit.world.rows(ReconciliationRun) if each.position] == [step]


def begun(audit: Audit, loop: Loop, *, method: Any = STRIPE) -> ReconciliationRun:
    now = datetime.now(UTC)
    window = Window(begin=now - timedelta(days=1), end=now)
    return runs.begin(audit.world.app, loop, method, period="a test's", window=window)


class TestResume:
    def test_one_that_is_done_is_not_carried_on(self, audit: Audit) -> None:
        done = audit.run(Loop.OBJECTS)
        assert f"Run {done.id} is done; only one that is running is carried on." in refused(
            "reconcile", "resume", done.id
        )

    def test_one_of_another_kind_or_of_nothing_is_named(self, audit: Audit) -> None:
        other = begun(audit, Loop.STATEMENT, method="jazz_cash")
        assert f"Run {other.id} is no run over Stripe" in refused("reconcile", "resume", other.id)
        assert "There is no run run_1." in refused("reconcile", "resume", "run_1")
        assert run("reconcile", "resume", "").exit_code == 2


class TestShow:
    def test_runs_are_listed_newest_first_and_one_with_its_counts(self, seeded: Seeded) -> None:
        assert run("reconcile", "show").stdout == "No runs.\n"
        made = [seeded.run(started_at=seeded.now - timedelta(hours=n), counts={"found": {"stuck": n}}) for n in (1, 2)]
        listed = answer(0, "reconcile", "show")
        assert [each["id"] for each in listed["runs"]] == made
        assert made[1] in run("reconcile", "show").stdout
        assert answer(0, "reconcile", "show", made[1])["counts"] == {"found": {"stuck": 2}}
        assert re.search(r"found +│ stuck +│ 2", run("reconcile", "show", made[1]).stdout)
        assert "there are more" in run("reconcile", "show", "--limit", "1").stdout

    def test_a_dry_run_is_shown_with_what_it_would_do(self, seeded: Seeded) -> None:
        row = {"kind": "stuck", "ours": "pay_1", "theirs": "", "detail": "Late.", "repair": "would be made"}
        made = seeded.run(started_at=seeded.now, dry_run=True, sample=[row])
        assert "would be made" in run("reconcile", "show", made).stdout
        assert answer(0, "reconcile", "show", made)["sample"] == [row]

    def test_open_findings_are_listed_by_kind_and_by_run(self, seeded: Seeded) -> None:
        assert run("reconcile", "show", "--findings").stdout == "No findings.\n"
        stuck = seeded.finding(FindingKind.STUCK, opened_at=seeded.now, detail="\x1b[31mred")
        seeded.finding(FindingKind.UNREADABLE, opened_at=seeded.now, closed_at=seeded.now)
        other = seeded.run(started_at=seeded.now)
        ahead = seeded.finding(FindingKind.LOCAL_AHEAD, opened_at=seeded.now, run_id=other)

        def listed(*arguments: str) -> set[str]:
            return {each["id"] for each in answer(0, "reconcile", "show", *arguments)["findings"]}

        assert listed("--findings") == {stuck, ahead}
        assert listed("--kind", "stuck") == {stuck}
        assert listed(other, "--findings") == {ahead}
        assert "\x1b" not in run("reconcile", "show", "--findings").stdout

    def test_open_findings_are_exported(self, seeded: Seeded) -> None:
        seeded.finding(FindingKind.MISSING_LOCAL, opened_at=seeded.now, theirs='=HYPERLINK("x")')
        told = run("reconcile", "show", "--csv")
        [row] = csv.DictReader(told.stdout.splitlines())
        assert (row["kind"], row["theirs"]) == ("missing_local", '\'=HYPERLINK("x")')

    @pytest.mark.parametrize(
        ("arguments", "code"),
        [
            (("run_1",), 1),
            (("",), 1),
            (("--csv", "--json"), 1),
            (("--kind", "lost"), 2),
            (("--limit", "0"), 2),
            (("a", "b"), 2),
        ],
    )
    def test_what_cannot_be_shown_is_refused(self, arguments: tuple[str, ...], code: int) -> None:
        told = run("reconcile", "show", *arguments)
        assert told.exit_code == code
        assert "Traceback" not in told.output


class TestResolve:
    def test_what_is_accepted_stays_closed_until_it_is_told_otherwise(self, audit: Audit) -> None:
        paid = altered(audit)
        audit.run(Loop.OBJECTS)
        [finding] = audit.findings(is_open=True)
        told = answer(0, "reconcile", "resolve", finding.id, "--resolution", "the bank rounds")
        assert (told["id"], told["resolution"], told["repaired_at"]) == (finding.id, "the bank rounds", None)
        assert audit.findings(is_open=True) == []
        [review] = audit.world.reviews()
        assert (review.subject, review.resolution) == (finding.id, "the bank rounds")

        for _ in range(2):
            met = audit.run(Loop.OBJECTS)
            assert (met.counts["accepted"], audit.findings(is_open=True)) == ({finding.kind: 1}, [])

        audit.patch(paid.stripe_payment_intent_id, amount_received=7000)
        audit.run(Loop.OBJECTS)
        [again] = audit.findings(is_open=True)
        assert (again.kind, again.ours) == (finding.kind, finding.ours)
        assert [each.subject for each in audit.world.reviews() if each.resolved_at is None] == [again.id]

    def test_an_answer_to_its_question_accepts_a_finding_too(self, audit: Audit) -> None:
        altered(audit)
        audit.run(Loop.OBJECTS)
        [review] = audit.world.reviews()
        answer(0, "review", "resolve", review.id, "--resolution", "the bank rounds")
        audit.run(Loop.OBJECTS)
        assert audit.findings(is_open=True) == []
        assert [each.id for each in audit.world.reviews()] == [review.id]

    def test_what_is_closed_or_unknown_or_unexplained_is_refused(self, seeded: Seeded) -> None:
        closed = seeded.finding(FindingKind.STUCK, opened_at=seeded.now, closed_at=seeded.now)
        assert "is closed already" in refused("reconcile", "resolve", closed, "--resolution", "x")
        assert "There is no finding fnd_1." in refused("reconcile", "resolve", "fnd_1", "--resolution", "x")
        assert run("reconcile", "resolve", closed, "--resolution", " ").exit_code == 2
        assert run("reconcile", "resolve", closed).exit_code == 2
