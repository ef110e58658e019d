"""Reconciliation over HTTP."""

import csv
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from payproc.application import Application
from payproc.database.models import FindingKind, Loop, User
from tests.support.seeding import Seeded
from tests.web.client import is_problem, key_of

PREFIX = "/api/v1/reconciliation"
PATHS = ("", "/findings", "/findings?format=csv", "/drift", "/run_1")


@pytest.fixture
def staff(app: Application, operator: User) -> dict[str, str]:
    return {"Authorization": f"Bearer {key_of(app, operator)}"}


class Reader:
    """Somebody of the staff."""

    def __init__(self, client: FlaskClient, headers: dict[str, str]) -> None:
        self._client, self._headers = client, headers

    def ask(self, path: str, **query: Any) -> TestResponse:
        return self._client.get(PREFIX + path, headers=self._headers, query_string=query or None)

    def read(self, path: str, **query: Any) -> Any:
        answer = self.ask(path, **query)
        assert answer.status_code == 200, answer.text
        return answer.json


@pytest.fixture
def reader(anonymous: FlaskClient, staff: dict[str, str]) -> Reader:
    return Reader(anonymous, staff)


def test_runs_are_read_newest_first_page_by_page(reader: Reader, seeded: Seeded) -> None:
    made = [seeded.run(started_at=seeded.now - timedelta(hours=number)) for number in range(3)]
    first = reader.read("", limit=2)
    second = reader.read("", limit=2, cursor=first["next_cursor"])
    assert [run["id"] for run in (*first["runs"], *second["runs"])] == made
    assert second["next_cursor"] is None
    assert "sample" not in first["runs"][0]
    assert reader.read("/") == reader.read("")


def test_one_run_is_read_with_its_counts_and_its_duration(reader: Reader, seeded: Seeded) -> None:
    row = {"kind": "stuck", "ours": "pay_1", "theirs": "", "detail": "Late.", "repair": "would be made"}
    made = seeded.run(
        loop=Loop.MONEY,
        started_at=seeded.now - timedelta(seconds=5.3),
        finished_at=seeded.now,
        counts={"found": {"stuck": 2}},
        calls=7,
        dry_run=True,
        sample=[row],
    )
    told = reader.read(f"/{made}")
    assert (told["loop"], told["duration_ms"], told["calls"], told["sample"]) == ("money", 5300, 7, [row])
    assert told["counts"] == {"found": {"stuck": 2}}
    assert is_problem(reader.ask("/run_1"), 404, "run_not_found")


def test_findings_are_read_by_state_and_kind(reader: Reader, seeded: Seeded) -> None:
    stuck = seeded.finding(FindingKind.STUCK, opened_at=seeded.now, closed_at=seeded.now)
    ahead = seeded.finding(FindingKind.LOCAL_AHEAD, opened_at=seeded.now)

    def ids(**query: str) -> set[str]:
        return {each["id"] for each in reader.read("/findings", **query)["findings"]}

    assert ids() == {stuck, ahead}
    assert ids(open="true") == {ahead}
    assert ids(open="false") == {stuck}
    assert ids(kind="stuck", open="true") == set()
    [told] = reader.read("/findings", kind="local_ahead")["findings"]
    assert (told["severity"], told["closed_at"]) == ("critical", None)


def test_findings_are_read_page_by_page(reader: Reader, seeded: Seeded) -> None:
    made = [seeded.finding(FindingKind.STUCK, opened_at=seeded.now - timedelta(hours=n)) for n in range(3)]
    first = reader.read("/findings", limit=2)
    second = reader.read("/findings", limit=2, cursor=first["next_cursor"])
    assert [each["id"] for each in (*first["findings"], *second["findings"])] == made


def test_findings_are_exported_without_formulas(reader: Reader, seeded: Seeded) -> None:
    for theirs in ("=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(1)", "\t=1", "\uff1d1", "pi_1"):
        seeded.finding(FindingKind.MISSING_LOCAL, opened_at=seeded.now, theirs=theirs)
    answer = reader.ask("/findings", format="csv", kind="missing_local", open="true")
    assert (answer.status_code, answer.content_type) == (200, "text/csv; charset=utf-8")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="findings.csv"'
    assert {row["theirs"] for row in csv.DictReader(answer.text.splitlines())} == {
        "'=1+1", "'+cmd|' /C calc'!A0", "'-2+3", "'@SUM(1)", "'\t=1", "'\uff1d1", "pi_1",
    }  # fmt: skip


def test_an_export_gives_its_connection_back(reader: Reader, seeded: Seeded) -> None:
    seeded.many(1500)
    for _ in range(12):  # more than the pool holds
        assert reader.ask("/findings", format="csv").text.count("\n") == 1501


def test_drift_has_every_day_and_what_there_was(reader: Reader, seeded: Seeded) -> None:
    seeded.finding(FindingKind.STUCK, opened_at=seeded.today, closed_at=seeded.today, repaired_at=seeded.today)
    days = reader.read("/drift", days=3)["days"]
    assert [each["day"] for each in days] == [f"{seeded.today - timedelta(days=n):%Y-%m-%d}" for n in (2, 1, 0)]
    assert days[2]["kinds"] == [{"kind": "stuck", "severity": "note", "opened": 1, "repaired": 1, "open_at_end": 0}]
    assert days[1]["kinds"] == []
    assert len(reader.read("/drift")["days"]) == 30


@pytest.mark.parametrize(
    "path",
    [
        "?limit=0",
        "?limit=101",
        "?cursor=x",
        "?page=2",
        "/findings?kind=lost",
        "/findings?open=perhaps",
        "/findings?format=xlsx",
        "/findings?cursor=x",
        "/drift?days=0",
        "/drift?days=367",
        "/drift?days=x",
    ],
)
def test_what_cannot_be_asked_is_a_problem(anonymous: FlaskClient, staff: dict[str, str], path: str) -> None:
    answer = anonymous.get(PREFIX + path, headers=staff)
    assert answer.status_code == 422
    assert answer.content_type == "application/problem+json"


@pytest.mark.parametrize("path", PATHS)
def test_it_is_for_staff(anonymous: FlaskClient, app: Application, customer: User, path: str) -> None:
    theirs = {"Authorization": f"Bearer {key_of(app, customer)}"}
    assert is_problem(anonymous.get(PREFIX + path, headers=theirs), 403, "not_allowed")
    assert is_problem(anonymous.get(PREFIX + path), 401, "not_authenticated")
    assert anonymous.options(PREFIX + path).status_code == 200


def test_the_document_says_that_findings_are_csv_as_well(anonymous: FlaskClient) -> None:
    document = anonymous.get("/openapi.json").json
    assert document is not None
    answers = document["paths"][f"{PREFIX}/findings"]["get"]["responses"]["200"]["content"]
    assert set(answers) == {"application/json", "text/csv"}
    assert "open" in {each["name"] for each in document["paths"][f"{PREFIX}/findings"]["get"]["parameters"]}


def test_the_figures_for_alerts_are_scraped(anonymous: FlaskClient, staff: dict[str, str], seeded: Seeded) -> None:
    seeded.finding(FindingKind.LOCAL_AHEAD, opened_at=seeded.now, run_id=seeded.run(started_at=seeded.now))
    seeded.run(loop=Loop.EVENTS, started_at=seeded.now - timedelta(hours=1))
    seeded.run(loop=Loop.MONEY, started_at=seeded.now, dry_run=True)
    text = anonymous.get("/metrics", headers=staff).text
    assert 'payproc_open_findings{kind="local_ahead",severity="critical"} 1.0' in text
    assert 'payproc_open_findings{kind="stuck",severity="note"} 0.0' in text
    [line] = [each for each in text.splitlines() if each.startswith('payproc_reconciled_seconds_ago{loop="events"')]
    assert 3600 <= float(line.split()[-1]) < 3700
    assert 'loop="money"' not in text
