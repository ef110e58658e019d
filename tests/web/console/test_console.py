"""The operators' page: who may see it, and that what strangers wrote stays text."""

import base64
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any

import pytest
import structlog
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from payproc.application import Application
from payproc.database.models import FindingKind, Loop, Scope, User
from payproc.domain.money import Money
from payproc.domain.requests.payment import PaymentRequest
from payproc.flows import checkout
from payproc.providers.stripe import STRIPE
from payproc.records.identity.users import issue_key, revoke_key
from tests.support.seeding import Seeded
from tests.web.client import is_problem, key_of

PAGE = "/console/reconciliation"
PATHS = (PAGE, "/console/reconciliation.csv", "/console/payments/pay_1")
HOSTILE = "<script>alert('1')</script><img src=x onerror=alert(2)> \"quoted\" & more"


def basic(password: str, *, name: str = "anybody") -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


@pytest.fixture
def staff(app: Application, operator: User) -> dict[str, str]:
    return basic(key_of(app, operator))


def show(client: FlaskClient, staff: dict[str, str]) -> TestResponse:
    answer = client.get(PAGE, headers=staff)
    assert answer.status_code == 200, answer.text
    return answer


class Elements(HTMLParser):
    """Every element's name and attributes, and the text between them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


# --- Who may see it ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PATHS)
def test_who_is_not_staff_is_asked_to_sign_in_whatever_was_wrong(
    anonymous: FlaskClient, app: Application, customer: User, operator: User, path: str
) -> None:
    with app.database.transaction() as session:
        ended = issue_key(session, operator)
        session.flush()
        revoke_key(session, ended[:12])
        writes_only = issue_key(session, operator, scopes=[Scope.WRITE])
    told = [
        anonymous.get(path, headers=headers)
        for headers in (
            {},
            basic(""),
            basic("wrong"),
            basic("\0"),
            basic(ended),
            basic(writes_only),
            basic(key_of(app, customer)),
            basic("x", name=key_of(app, operator)),
            {"Authorization": "Basic !!!"},
            {"Authorization": "Basic " + base64.b64encode(b"\xff\xfe:\xff").decode()},
            {"Authorization": f"Bearer {key_of(app, operator)}"},
            {"Authorization": f"Digest username={key_of(app, operator)}"},
        )
    ]
    assert {answer.status_code for answer in told} == {401}
    assert {answer.headers["WWW-Authenticate"] for answer in told} == {'Basic realm="payproc console", charset="UTF-8"'}
    [words] = {answer.text for answer in told}
    assert "API key as the\n    password, with any name" in words


def test_a_token_is_no_key(anonymous: FlaskClient, app: Application) -> None:
    with app.database.transaction() as session:
        before = session.query(User).count()
    assert anonymous.get(PAGE, headers=basic("a.b.c")).status_code == 401
    with app.database.transaction() as session:
        assert session.query(User).count() == before


def test_operators_and_admins_are_let_in_by_their_key_and_any_name(
    anonymous: FlaskClient, app: Application, operator: User, admin: User
) -> None:
    for user in (operator, admin):
        for name in ("", "anybody", "süß"):
            assert anonymous.get(PAGE, headers=basic(key_of(app, user), name=name)).status_code == 200


def test_the_key_is_neither_shown_nor_logged_nor_kept(anonymous: FlaskClient, app: Application, operator: User) -> None:
    key = key_of(app, operator)
    with structlog.testing.capture_logs() as logged:
        answer = show(anonymous, basic(key))
        anonymous.get(PAGE, headers=basic(key[:-1]))
    assert key[:-1] not in answer.text
    assert key[4:-1] not in str(logged)
    assert [entry["user"] for entry in logged if entry["event"] == "request"] == [operator.id, None]
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("path", PATHS)
def test_nothing_is_cached_framed_or_fetched_from_elsewhere(
    anonymous: FlaskClient, staff: dict[str, str], path: str
) -> None:
    for headers in (staff, {}):
        # Closed unread, as by a browser that goes elsewhere.
        with anonymous.get(path, headers=headers) as answer:
            told = answer.headers
        assert told["Cache-Control"] == "no-store"
        policy = told["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; style-src 'self'; img-src 'self';")
        assert "unsafe" not in policy
        assert "script-src" not in policy
        assert told["X-Frame-Options"] == "DENY"
        assert told["Referrer-Policy"] == "no-referrer"


def test_its_looks_need_no_key(anonymous: FlaskClient) -> None:
    with anonymous.get("/console/assets/console.css") as answer:
        assert (answer.status_code, answer.mimetype) == (200, "text/css")


# --- What it shows ----------------------------------------------------------------------------------------------------


def test_without_any_run_it_says_so(anonymous: FlaskClient, staff: dict[str, str]) -> None:
    page = Elements(show(anonymous, staff).text)
    for sentence in ("Nothing is open.", "No run has begun yet.", "No difference was opened in these days"):
        assert sentence in page.text
    assert page.text.count("never") == 3
    assert "svg" not in {tag for tag, _ in page.tags}


def test_it_shows_figures_runs_findings_and_their_drift(
    anonymous: FlaskClient, staff: dict[str, str], seeded: Seeded
) -> None:
    seeded.finding(FindingKind.LOCAL_AHEAD, opened_at=seeded.now)
    seeded.finding(FindingKind.STUCK, opened_at=seeded.now, closed_at=seeded.now, repaired_at=seeded.now)
    ended = seeded.now - timedelta(hours=3)
    seeded.run(loop=Loop.MONEY, started_at=ended - timedelta(seconds=75), finished_at=ended, calls=1)
    seeded.run(loop=Loop.EVENTS, started_at=seeded.now, dry_run=True)
    page = Elements(show(anonymous, staff).text)
    words = " ".join(page.text.split())
    assert "1open, critical 0open, others 1repaired in 30 days" in words
    assert "money stripe 3 h ago 1 min 15 s, 1 call" in words
    assert "eventsnever" in words
    assert "Opened in all: 2. Open now: 1." in words
    assert ": 2 opened (1 critical, 1 note), 1 repaired, 1 open at its end" in words
    assert "dry run" in words


def test_hostile_words_stay_words(anonymous: FlaskClient, staff: dict[str, str], seeded: Seeded) -> None:
    seeded.finding(FindingKind.MISSING_LOCAL, opened_at=seeded.now, detail=HOSTILE, theirs="</td><script>")
    page = Elements(show(anonymous, staff).text)
    assert HOSTILE in page.text
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "img", "iframe", "style", "form"}
    attributes = {name for _, attrs in page.tags for name in attrs}
    assert not {name for name in attributes if name.startswith("on")} | ({"style"} & attributes)


def test_every_address_in_it_is_ours(anonymous: FlaskClient, staff: dict[str, str], seeded: Seeded) -> None:
    seeded.finding(FindingKind.MISSING_LOCAL, opened_at=seeded.now, detail="https://evil.example.com")
    page = Elements(show(anonymous, staff).text)
    links = [value for _, attrs in page.tags for name, value in attrs.items() if name in ("href", "src", "action")]
    assert links
    assert all(value is not None and value.startswith("/") and not value.startswith("//") for value in links)


def test_the_worst_is_first_and_what_does_not_fit_is_counted(
    anonymous: FlaskClient, staff: dict[str, str], seeded: Seeded
) -> None:
    seeded.finding(FindingKind.LOCAL_AHEAD, opened_at=seeded.now - timedelta(days=40), theirs="pi_worst")
    seeded.many(60)
    text = show(anonymous, staff).text
    assert 0 < text.index("pi_worst") < text.index("ch_")
    assert "The newest 51 of 61; the CSV has all." in text
    csv = anonymous.get("/console/reconciliation.csv", headers=staff)
    assert csv.text.count("\n") == 62


def test_a_finding_leads_to_the_timeline_of_its_payment(
    anonymous: FlaskClient, app: Application, staff: dict[str, str], customer: User, seeded: Seeded
) -> None:
    wanted: dict[str, Any] = {"success_url": "https://example.com/thanks", "cancel_url": "https://example.com/basket"}
    request = PaymentRequest(money=Money.of(1999, "usd"), description="Two mangoes", **wanted)
    payment = checkout.take_payment(app, request, user=customer, method=STRIPE)
    seeded.finding(FindingKind.STUCK, opened_at=seeded.now, ours=payment.id, payment_id=payment.id)
    path = f"/console/payments/{payment.id}"
    assert f'href="{path}"' in show(anonymous, staff).text
    page = Elements(anonymous.get(path, headers=staff).text)
    assert "19.99 USD by stripe, pending" in page.text
    assert "payment.created" in page.text
    assert is_problem(anonymous.get("/console/payments/pay_1", headers=staff), 404, "payment_not_found")
