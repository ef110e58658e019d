import time
from concurrent.futures import ThreadPoolExecutor, as_completed

import pytest
from werkzeug.test import TestResponse

from payproc.application import Application
from payproc.database.models import Role, User
from payproc.domain.provenance import Provenance, Source
from payproc.domain.states import Fact
from payproc.records import payments
from payproc.records.identity.users import create_user
from tests.support.waiting import wait_until
from tests.web.client import Client, checkout_body, is_problem, key_of


def pay(client: Client) -> str:
    answer = client.post("/checkout", checkout_body())
    assert answer.json is not None
    return str(answer.json["payment_id"])


@pytest.fixture
def bilal(flask_app: object, app: Application) -> Client:
    with app.database.transaction() as session:
        user: User = create_user(session, email="bilal@example.com", name="Bilal Ahmed", role=Role.CUSTOMER)
    return Client(flask_app, key_of(app, user))  # type: ignore[arg-type]  # the flask_app fixture


def test_a_payment_shows_both_amounts(amina: Client) -> None:
    answer = amina.get(f"/{pay(amina)}")

    assert answer.status_code == 200
    assert answer.json is not None
    assert '"amount": 19.99, "amount_minor": 1999,' in answer.text
    assert answer.json["payment_method"] == "stripe"


def waited(client: Client, payment_id: str, *, seconds: int = 20) -> TestResponse:
    return client.get(f"/{payment_id}", headers={"Prefer": f"wait={seconds}"})


def looks(app: Application) -> bool:
    """Whether somebody asks again and again how a payment stands."""
    asking = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT status FROM payments WHERE id%%'"
    return bool(app.database.single_statement(asking, {}))


def test_who_waits_for_a_payment_is_answered_when_its_status_is_another(amina: Client, app: Application) -> None:
    payment_id = pay(amina)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(waited, amina, payment_id)
        wait_until(lambda: looks(app), what="a look at the status")
        assert not asked.done()
        with app.database.transaction() as session:
            told = Provenance(source=Source.OPERATOR, evidence="rev_1")
            payments.apply_fact(session, payment_id, Fact.PAID, provenance=told)
        began = time.monotonic()
        assert (asked.result().json or {})["status"] == "completed"
        assert time.monotonic() - began < 5
    # It is final: nobody waits for a refund.
    began = time.monotonic()
    assert (waited(amina, payment_id).json or {})["status"] == "completed"
    assert time.monotonic() - began < 5


def test_who_waits_in_vain_is_told_how_the_payment_stands(amina: Client, bilal: Client) -> None:
    payment_id = pay(amina)
    began = time.monotonic()
    assert (waited(amina, payment_id, seconds=1).json or {})["status"] == "pending"
    assert 0.9 < time.monotonic() - began < 10
    assert is_problem(waited(bilal, payment_id), 404, "payment_not_found")


def test_where_two_wait_already_others_are_answered_at_once(amina: Client) -> None:
    payment_id = pay(amina)
    with ThreadPoolExecutor(5) as pool:
        began = time.monotonic()
        asked = [pool.submit(waited, amina, payment_id, seconds=2) for _ in range(5)]
        seconds = [time.monotonic() - began for _ in as_completed(asked)]
    assert {(each.result().json or {})["status"] for each in asked} == {"pending"}
    assert seconds[2] < 1.5
    assert seconds[3] >= 1.9


def test_another_customers_payment_does_not_exist(amina: Client, bilal: Client) -> None:
    payment_id = pay(amina)
    for path in (f"/{payment_id}", f"/{payment_id}/timeline"):
        assert is_problem(bilal.get(path), 404, "payment_not_found")
    assert is_problem(bilal.post(f"/{payment_id}/cancel"), 404, "payment_not_found")


def test_staff_see_everybodys_payments_and_customers_their_own(amina: Client, bilal: Client, omar: Client) -> None:
    first, second = pay(amina), pay(bilal)

    assert omar.get(f"/{first}").status_code == 200
    assert ids(omar.get("/")) == [second, first]
    assert ids(amina.get("/")) == ids(amina.get("")) == [first]
    assert ids(bilal.get("/")) == [second]


def ids(answer: object) -> list[str]:
    return [payment["id"] for payment in answer.json["payments"]]  # type: ignore[attr-defined]  # an answer


def test_pages_follow_each_other_without_gaps_or_repeats(amina: Client) -> None:
    made = [pay(amina) for _ in range(7)]
    seen: list[str] = []
    cursor = None
    while True:
        query = {"limit": "3"} | ({"cursor": cursor} if cursor else {})
        answer = amina.get("/", query_string=query)
        seen += ids(answer)
        assert answer.json is not None
        cursor = answer.json["next_cursor"]
        if cursor is None:
            break
    assert seen == made[::-1]


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"},
        {"limit": "101"},
        {"limit": "x"},
        {"status": "unheard"},
        {"cursor": "x"},
        {"cursor": "////"},
        {"cursor": "MjAyNg=="},
        {"created_from": "yesterday"},
        {"created_from": "2026-11-23T00:00:00"},
        {"created_to": "9999-99-99"},
        {"sort": "amount"},
    ],
)
def test_a_bad_question_is_answered_422(amina: Client, query: dict[str, str]) -> None:
    answer = amina.get("/", query_string=query)
    assert (answer.status_code, answer.content_type) == (422, "application/problem+json")


def test_the_list_can_be_narrowed(amina: Client) -> None:
    payment_id = pay(amina)
    assert ids(amina.get("/", query_string={"status": "pending", "created_from": "2026-01-01T00:00:00Z"})) == [
        payment_id
    ]
    assert ids(amina.get("/", query_string={"status": "completed"})) == []
    assert ids(amina.get("/", query_string={"created_to": "2026-01-01T00:00:00+05:00"})) == []


def test_the_timeline_says_what_happened_and_what_is_due(amina: Client) -> None:
    answer = amina.get(f"/{pay(amina)}/timeline")
    assert answer.json is not None
    assert {entry["what"] for entry in answer.json["timeline"]} == {"payment.created", "job.due"}


def test_a_program_reads_from_the_timeline_what_moved_and_who_said_so(amina: Client, app: Application) -> None:
    payment_id = pay(amina)
    with app.database.transaction() as session:
        told = Provenance(source=Source.OPERATOR, evidence="rev_of_a_test")
        payments.apply_fact(session, payment_id, Fact.PAID, provenance=told)
        payments.apply_fact(session, payment_id, Fact.EXPIRED, provenance=told)
    entries = (amina.get(f"/{payment_id}/timeline").json or {})["timeline"]
    moves = [(entry["what"], entry["from"], entry["to"], entry["source"]) for entry in entries if entry["source"]]
    assert moves == [
        ("payment.created", None, "pending", "api"),
        ("payment.paid", "pending", "completed", "operator"),
        ("payment.expired", "completed", "completed", "operator"),
    ]
    others = [entry for entry in entries if not entry["source"]]
    assert others
    assert {(entry["from"], entry["to"]) for entry in others} == {(None, None)}


def test_an_open_payment_names_no_reason_and_one_that_ended_unpaid_does(amina: Client, app: Application) -> None:
    payment_id = pay(amina)
    assert (amina.get(f"/{payment_id}").json or {})["decline_reason"] is None
    with app.database.transaction() as session:
        told = Provenance(source=Source.OPERATOR, evidence="rev_of_a_test")
        payments.apply_fact(session, payment_id, Fact.CANCELLED, provenance=told)
    assert (amina.get(f"/{payment_id}").json or {})["decline_reason"] == "cancelled"


@pytest.mark.parametrize("payment_id", ["x", "pay_", "pay_01", "..%2F..", "a" * 64, "'; DROP TABLE payments"])
def test_a_payment_that_is_not_there_is_404(amina: Client, payment_id: str) -> None:
    assert amina.get(f"/{payment_id}").status_code == 404


def test_what_postgresql_cannot_hold_is_422(amina: Client) -> None:
    assert is_problem(amina.get("/%00"), 422, "invalid_request")
    assert is_problem(amina.get("/", query_string={"order_id": "\x00"}), 422, "invalid_request")
    assert is_problem(amina.post("/checkout", checkout_body(metadata={"a": "\x00"})), 422, "invalid_request")
