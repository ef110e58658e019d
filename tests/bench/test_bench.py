"""The parts of the benchmark that could lie: its rows, its table and its mail server."""

import json
import smtplib
import socket
from email.message import EmailMessage
from pathlib import Path

import psycopg
from sqlalchemy import func, select

from payproc.application import Application
from payproc.database.models import Email, User
from payproc.domain.states import PaymentStatus
from tests.bench import rows, seeding
from tests.bench.client import wire
from tests.bench.client.mail_sink import MailSink
from tests.bench.results import BEGIN, DOCUMENT, END, Aim, Results, Row, write_down
from tests.support.world import World

MANY = range(40)
TO_BE_PAID = range(10**9, 10**9 + 5)


def test_seeded_payments_meet_every_constraint_and_every_invariant(app: Application, customer: User) -> None:
    assert customer.id
    with psycopg.connect(app.settings.database_url.replace("+psycopg", "")) as connection:
        seeding.seed_history(connection, MANY)
        seeding.seed_open(connection, TO_BE_PAID)
        counted = {
            table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608 (our own names)
            for table in rows.COLUMNS
        }
        left_out = connection.execute("SELECT count(*) FROM pg_index WHERE NOT (indisready AND indisvalid)").fetchone()
    assert left_out == (0,)
    # The fixture asks the invariants when the test is over; keys and the sum of a journal were asked row by row.
    assert {table: found[0] for table, found in counted.items() if found} == {
        "payments": 45,
        "payment_events": 3 * 40 + 2 * 5,
        "provider_calls": 45,
        "idempotency_keys": 45,
        "jobs": 4 * 40 + 2 * 5,
        "notices": 40,
        "journals": 40,
        "ledger_entries": 80,
        "emails": 40,
    }


def test_a_seeded_payment_is_paid_by_the_event_that_is_sent_about_it(world: World) -> None:
    with psycopg.connect(world.app.settings.database_url.replace("+psycopg", "")) as connection:
        seeding.seed_open(connection, TO_BE_PAID)
        # Of a stack, not of a test.
        connection.execute("UPDATE payments SET environment = 'test'")
    for number in TO_BE_PAID:
        world.deliver(json.loads(wire.paid_event(number)))
    world.deliver(json.loads(wire.strangers_event()))
    world.drain()
    assert {world.payment(rows.payment_id(number)).status for number in TO_BE_PAID} == {PaymentStatus.COMPLETED}
    with world.app.database.transaction() as session:
        assert session.scalar(select(func.count()).select_from(Email)) == len(TO_BE_PAID)


FAST = Row(title="get", unit="/s", at_least=Aim(1.2, "plain"), to_reach=Aim(0.5, "limit"))
SLOW = Row(title="idle", unit=" ms", at_least=Aim(30), to_reach=Aim(20), less_is_better=True)


def test_the_table_holds_medians_against_aims_of_what_was_measured() -> None:
    results = Results()
    for figure in (100, 300, 200):
        results.add(FAST, "limit", figure * 10)
        results.add(FAST, "plain", figure / 2)
        results.add(FAST, "payproc", figure)
    [cells] = results.lines([FAST, SLOW])
    assert list(cells) == [
        *("get", "2,000/s (1,000 to 3,000)", "100/s (50 to 150)", "200/s (100 to 300)", "0.10", "2.00"),
        *("≥ 1.2 times plain: met", "≥ 0.5 times limit: MISSED"),
    ]


def test_a_latency_meets_its_aim_by_being_small() -> None:
    results = Results()
    results.add(SLOW, "payproc", 25.0)
    [cells] = results.lines([SLOW])
    assert list(cells) == ["idle", "-", "-", "25 ms", "-", "-", "≤ 30 ms: met", "≤ 20 ms: MISSED"]


def test_a_run_takes_the_place_of_the_last_one_in_the_document(tmp_path: Path) -> None:
    document = tmp_path / "performance.md"
    document.write_text(f"# Figures\n{BEGIN}\nold\n{END}\nmore\n", encoding="utf-8")
    write_down("new", document=document)
    assert document.read_text(encoding="utf-8") == f"# Figures\n{BEGIN}\nnew\n{END}\nmore\n"


def test_the_real_document_has_a_place_for_the_table() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert text.index(BEGIN) < text.index(END)


def test_the_mail_server_counts_what_it_takes() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    sink = MailSink(port)
    sink.start()
    message = EmailMessage()
    message["From"], message["To"] = "shop@example.com", "amina@example.com"
    message.set_content("Line\n.\n..two\n")
    with smtplib.SMTP("127.0.0.1", port, timeout=5) as server:
        server.send_message(message)
        server.send_message(message)
    assert sink.received == 2
