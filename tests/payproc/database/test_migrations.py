from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.exc import DBAPIError

from payproc.database.models import EmailKind, JournalKind, Loop, Payment, Refund, ReviewKind, SeenKey, User
from payproc.domain.languages import Locale
from payproc.domain.money import Money
from payproc.domain.provenance import Provenance, Source
from payproc.domain.settlement import LineKind, RefundOutcome, RefundVerdict, RemoteRefund, SettlementLine
from payproc.domain.states import Fact, PaymentStatus, RefundFact, RefundStatus
from payproc.operations.doctor import broken_invariants
from payproc.outgoing.mail import outbox
from payproc.providers.listing import Window
from payproc.providers.stripe import STRIPE
from payproc.reconcile import runs
from payproc.records import payments, refunds, remote_refunds
from payproc.records.ledger import journal, matching
from payproc.records.reviews import open_review
from payproc.settings.types import RefundByOwner
from tests.support.after_payment import STAYS_PENDING, given, read
from tests.support.databases import ROOT
from tests.support.mailbox import Mailbox
from tests.support.world import World

TOLD = Provenance(source=Source.OPERATOR, evidence="rev_1")


def alembic(world: World) -> Config:
    config = Config(ROOT / "alembic.ini")
    config.attributes["url"] = world.app.settings.database_url
    return config


def test_the_migrations_make_exactly_what_the_models_say(world: World) -> None:
    command.check(alembic(world))


def test_one_step_down_and_up_again_with_work_in_flight_loses_nothing(world: World) -> None:
    done, open_one, fresh = world.started(), world.started(), world.checkout()
    world.act(done, "pay")
    world.deliver_all(done)
    world.drain_once()
    before = counts(world)

    command.downgrade(alembic(world), "-1")
    command.upgrade(alembic(world), "head")

    assert counts(world) == before
    world.drain()
    assert world.status(done.id) is PaymentStatus.COMPLETED
    assert world.status(open_one.id) is PaymentStatus.PENDING
    assert world.payment(fresh.id).stripe_session_id is not None


def test_the_release_below_keeps_its_receipts_and_sends_no_mail_it_does_not_know(world: World) -> None:
    done, failed = world.started(), world.started()
    with world.app.database.transaction() as session:
        provenance = Provenance(source=Source.OPERATOR, evidence="rev_1")
        payments.apply_fact(session, done.id, Fact.PAID, provenance=provenance)
        payments.apply_fact(session, failed.id, Fact.DECLINED, provenance=provenance)
        session.get_one(User, world.customer.id).locale = Locale.URDU
        outbox.stage_digest(session, "2026-01-01T09:00:00+00:00", operator_mail="operators@shop.pk")
    assert {email.kind for email in world.emails()} == {EmailKind.RECEIPT, EmailKind.FAILURE, EmailKind.DIGEST}

    command.downgrade(alembic(world), "0005")
    with world.app.database.transaction() as session:
        assert list(session.scalars(text("SELECT kind FROM emails"))) == ["receipt"]
        mails = "SELECT count(*) FROM jobs WHERE kind = 'mail.send' AND state = 'ready'"
        assert session.scalar(text(mails)) == 1

    command.upgrade(alembic(world), "head")
    assert [(email.kind, email.about) for email in world.emails()] == [(EmailKind.RECEIPT, "")]
    with world.app.database.transaction() as session:
        assert session.get_one(User, world.customer.id).locale is Locale.ENGLISH
    world.drain()
    assert world.emails()[0].sent_at is not None


def test_all_the_way_down_leaves_nothing_and_up_again_works(database_url: str) -> None:
    config = Config(ROOT / "alembic.ini")
    config.attributes["url"] = database_url
    command.downgrade(config, "base")
    engine = create_engine(database_url)
    assert inspect(engine).get_table_names() == ["alembic_version"]
    command.upgrade(config, "head")
    assert Payment.__tablename__ in inspect(engine).get_table_names()
    engine.dispose()


def test_the_books_of_before_the_ledger_are_written_on_the_way_up(world: World) -> None:
    paid, _open = world.started(), world.started()
    world.act(paid, "pay")
    world.deliver_all(paid)
    world.drain()
    with world.app.database.transaction() as session:
        for amount_minor, ended in ((500, RefundVerdict.SUCCEEDED), (300, RefundVerdict.FAILED)):
            remote = RemoteRefund(
                provider_id=f"re_{amount_minor}",
                references={},
                money=Money.of(amount_minor, "usd"),
                outcome=RefundOutcome(verdict=ended),
            )
            remote_refunds.record_remote(session, paid, remote, provenance=Provenance(source=Source.OPERATOR))
    before = booked(world)
    assert len(before) == 4

    command.downgrade(alembic(world), "0005")
    command.upgrade(alembic(world), "head")

    assert booked(world) == before


def test_refunds_of_every_kind_come_back_from_the_release_below(world: World) -> None:
    careful = world.with_settings(refund_by_owner=RefundByOwner.REQUEST)
    paid = world.paid(money=Money.of(3 * STAYS_PENDING, "usd"))
    given(world, paid, 500)
    for _ in range(2):
        given(world, paid, STAYS_PENDING)
    asked = given(careful, world.paid(), 700)
    imported = given(world, world.paid(), 300)
    with world.app.database.transaction() as session:
        session.execute(text("UPDATE refunds SET requested_by = NULL WHERE id = :id"), {"id": imported.id})
        refunds.apply_fact(session, given(careful, world.paid()).id, RefundFact.CANCELLED, provenance=TOLD)
    disputed = world.paid()
    world.at_stripe(f"payment_intents/{disputed.stripe_payment_intent_id}/dispute")
    world.deliver_all(disputed)
    world.drain()

    command.downgrade(alembic(world), "0004")
    with world.app.database.transaction() as session:
        kept = Counter(session.scalars(text("SELECT status FROM refunds")))
        # One refund a payment may be on its way below: the second goes to a person, and what was asked for does too.
        assert kept == {"succeeded": 2, "pending": 1, "manual": 1, "failed": 2}
        kinds = set(session.scalars(text("SELECT kind FROM reviews WHERE resolved_at IS NULL")))
        assert kinds == {"refund_manual", "refund_unsettled", "unsettled"}
    command.upgrade(alembic(world), "head")

    with world.app.database.transaction() as session:
        assert session.get_one(Refund, asked.id).status is RefundStatus.MANUAL
        assert broken_invariants(session) == []


def test_what_was_booked_together_has_met_on_the_way_up_and_nothing_is_booked_twice(world: World) -> None:
    plain, early, joined, abroad = (world.paid(money=Money.of(5000, code)) for code in ("usd", "usd", "usd", "eur"))
    parts = [given(world, joined, amount) for amount in (300, 200)]
    own = given(world, plain, 700)
    with world.app.database.transaction() as session:
        known = matching.own_journals(session, [each.id for each in (plain, early, joined, abroad)])
        sales = {each.payment_id: each for each in known if each.kind is JournalKind.SALE}
        given_back = {each.key: each for each in known if each.kind is JournalKind.REFUND}
        back, alone = [given_back[f"refund:{part.id}"] for part in parts], given_back[f"refund:{own.id}"]
        for line, answers, payment in (
            (settled("txn_1", LineKind.CHARGE, 5000, fee=175), [sales[plain.id]], plain),
            (
                settled("txn_2", LineKind.REFUND, -700, source=own.provider_refund_id),
                [alone],
                plain,
            ),
            # Booked alone, and cleared when it met its sale.
            (settled("txn_3", LineKind.CHARGE, 5000, fee=175), [], None),
            (settled("txn_3", LineKind.CHARGE, 5000, fee=175), [sales[early.id]], early),
            # Two refunds in one movement, and of another amount than ours.
            (settled("txn_4", LineKind.REFUND, -499), back, joined),
            (settled("txn_5", LineKind.CHARGE, 5400, fee=10), [sales[abroad.id]], abroad),
            # The release below had booked it twice.
            (settled("txn_6", LineKind.CHARGE, 5000), [], joined),
        ):
            journal.record_line(session, STRIPE, line, answers=answers, payment_id=payment.id if payment else None)
    entries, met = booked(world), matched(world)
    assert len(met) == 5

    command.downgrade(alembic(world), "0009")
    with world.app.database.transaction() as session:
        assert session.scalar(text("SELECT count(*) FROM journals WHERE kind = 'line' AND key LIKE 'clearing:%'")) == 1
    command.upgrade(alembic(world), "head")

    assert (booked(world), matched(world)) == (entries, met)
    with world.app.database.transaction() as session:
        assert broken_invariants(session) == []


def settled(line_id: str, kind: LineKind, gross: int, *, fee: int = 0, source: str | None = None) -> SettlementLine:
    return SettlementLine(
        id=line_id,
        kind=kind,
        category=kind,
        currency="usd",
        gross=gross,
        fee=fee,
        net=gross - fee,
        source=source,
        created_at=datetime(2026, 3, 1, tzinfo=UTC),
    )


def matched(world: World) -> set[frozenset[str]]:
    """What has met what: the keys of journals and the ids of lines."""
    query = text("""
        SELECT array_agg(coalesce(j.key, m.line_id))
        FROM settlement_matches m LEFT JOIN journals j ON j.id = m.journal_id GROUP BY m.match
    """)
    with world.app.database.transaction() as session:
        return {frozenset(names) for names in session.scalars(query)}


def test_findings_and_mails_of_this_release_leave_nothing_behind_below(world: World) -> None:
    mailbox = Mailbox(app=world.app, customer=world.customer)
    mailbox.finding()
    command.downgrade(alembic(world), "0009")
    with world.app.database.transaction() as session:
        assert session.scalar(text("SELECT count(*) FROM emails")) == 0
        assert session.scalar(text("SELECT count(*) FROM reconciliation_findings")) == 0
        assert session.scalar(text("SELECT count(*) FROM jobs WHERE state = 'ready'")) == 0
        assert session.scalar(text("SELECT count(*) FROM reviews WHERE resolved_at IS NULL")) == 0
    command.upgrade(alembic(world), "head")


def booked(world: World) -> set[tuple[Any, ...]]:
    """Every entry of the ledger, but for the ids of journals."""
    with world.app.database.transaction() as session:
        return {
            (e.key, e.kind, e.payment_id, e.evidence, e.at, e.account, e.provider, e.money)
            for e in journal.entries(session)
        }


NAMES_AND_KEYS = [
    ("pay_1", ("row", "pay_1", "")),
    ("line:ch_1", ("source", "", "ch_1")),
    ("line|301:sale", ("line", "", "301:sale")),
    ("sale|pay_1|301:sale", ("sale", "pay_1", "301:sale")),
    ("missed_event|pay_1|pi_1", ("missed_event", "pay_1", "pi_1")),
    ("missing_local||pi_1", ("missing_local", "", "pi_1")),
    ("duplicate_charge|pay_1|", ("duplicate_charge", "pay_1", "")),
]
REFUND_NAME = 'refund|pay_1|[7, "AB|C", "301", "2026-01-31T09:05:09+00:00", 50000, 0, 50000]'
REFUND_LINE = {
    "number": 7, "reference": "AB|C", "transaction_id": "301", "at": "2026-01-31T09:05:09+00:00",
    "gross": 50000, "fee": 0, "net": 50000,
}  # fmt: skip


def test_what_a_run_has_seen_is_known_to_this_release_and_to_the_one_below(world: World) -> None:
    app = world.app
    window = Window(begin=datetime(2026, 1, 1, tzinfo=UTC), end=datetime(2026, 1, 2, tzinfo=UTC))
    ours, below = (
        runs.begin(app, loop, STRIPE, period="noon", window=window).id for loop in (Loop.OBJECTS, Loop.MONEY)
    )
    command.downgrade(alembic(world), "0008")
    names = sorted([name for name, _ in NAMES_AND_KEYS] + [REFUND_NAME])
    by_name = text("INSERT INTO reconciliation_marks (run_id, name) VALUES (:run_id, :name) ON CONFLICT DO NOTHING")
    with app.database.transaction() as session:
        session.execute(by_name, [{"run_id": below, "name": name} for name in names[::2]])
    command.upgrade(alembic(world), "head")
    keys = [
        {"run_id": ours, "kind": kind, "ours": row, "theirs": theirs}
        for _, (kind, row, theirs) in [*NAMES_AND_KEYS, (REFUND_NAME, ("refund", "pay_1", "301:refund"))]
    ]
    with app.database.transaction() as session:
        # What it had before, met once more, is there once.
        session.execute(by_name, [{"run_id": below, "name": name} for name in names])
        for key in keys:
            payload = REFUND_LINE if key["kind"] == "refund" else None
            session.add(SeenKey(payload=payload, **key))

    def seen(run_id: str) -> set[tuple[Any, ...]]:
        columns = text("SELECT kind, ours, theirs, payload::text FROM reconciliation_marks WHERE run_id = :run_id")
        with app.database.transaction() as session:
            return {tuple(row) for row in session.execute(columns, {"run_id": run_id})}

    before = seen(below)
    assert before == seen(ours)
    assert {row[:3] for row in before} >= {key for _, key in NAMES_AND_KEYS}
    command.downgrade(alembic(world), "0008")
    with app.database.transaction() as session:
        for run_id in (ours, below):
            kept = text('SELECT name FROM reconciliation_marks WHERE run_id = :run_id ORDER BY name COLLATE "C"')
            assert list(session.scalars(kept, {"run_id": run_id})) == names
    command.upgrade(alembic(world), "head")
    assert (seen(ours), seen(below)) == (before, before)


def test_an_event_can_be_neither_changed_nor_dropped(world: World) -> None:
    world.checkout()
    for statement in ("UPDATE payment_events SET fact = 'paid'", "DELETE FROM payment_events"):
        with (
            pytest.raises(DBAPIError, match="only ever added"),
            world.app.database.transaction() as session,
        ):
            session.execute(text(statement))


def counts(world: World) -> dict[str, int]:
    tables = ("users", "payments", "payment_events", "jobs", "notices", "provider_calls", "emails", "ledger_entries")
    with world.app.database.transaction() as session:
        return {table: session.scalar(text(f"SELECT count(*) FROM {table}")) or 0 for table in tables}  # noqa: S608 (ours)


def test_the_release_below_knows_what_was_paid_elsewhere_as_its_own_question(world: World) -> None:
    alone, beside = world.started(), world.started()
    with world.app.database.transaction() as session:
        for payment in (alone, beside):
            open_review(session, ReviewKind.PAID_ELSEWHERE, payment.id, payment_id=payment.id, detail="cs_theirs")
        open_review(session, ReviewKind.PAID_MISMATCH, beside.id, payment_id=beside.id, detail="paid 0.01")
    command.downgrade(alembic(world), "0011")
    with world.app.database.transaction() as session:
        asked = session.execute(text("SELECT payment_id, kind FROM reviews ORDER BY kind, payment_id")).all()
    below = [(alone.id, "paid_mismatch"), (beside.id, "paid_mismatch"), (beside.id, "unsettled")]
    assert sorted(map(tuple, asked)) == sorted(below)
    command.upgrade(alembic(world), "head")
    assert len(world.reviews()) == 3


def test_the_release_below_has_its_own_words_for_a_superseded_refund(world: World) -> None:
    paid = world.paid(money=Money.of(500000, "usd"))
    world.stripe().v1.refunds.create({"payment_intent": str(paid.stripe_payment_intent_id)})
    superseded = given(world, paid)
    assert superseded.status is RefundStatus.CANCELLED
    with world.app.database.transaction() as session:
        open_review(session, ReviewKind.REFUND_FAILED, superseded.id, detail="Agree with them.", payment_id=paid.id)
        open_review(session, ReviewKind.CONFIGURATION, "provider.stripe", detail="Mend the keys.")
    reviews = len(world.reviews())

    command.downgrade(alembic(world), "0009")
    with world.app.database.transaction() as session:
        facts = session.scalars(text("SELECT fact FROM refund_events")).all()
        kinds = session.scalars(text("SELECT kind FROM reviews WHERE resolved_at IS NULL")).all()
    assert "superseded" not in facts
    assert kinds == ["unsettled", "unsettled"]
    command.upgrade(alembic(world), "head")
    assert len(world.reviews()) == reviews
    assert read(world, superseded).status is RefundStatus.CANCELLED
