from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from payproc import jobs
from payproc.application import Application
from payproc.database.engine import Database
from payproc.database.models import Dispute, Payment, Refund, Role, User
from payproc.domain.money import Money
from payproc.domain.provenance import Provenance, Source
from payproc.domain.requests.payment import PaymentRequest
from payproc.domain.settlement import LineKind, RemoteDispute, SettlementLine
from payproc.domain.states import DisputeStatus, Fact, RefundFact
from payproc.flows import checkout, request_refund
from payproc.operations.doctor import Broken, broken_invariants, invariants
from payproc.providers import registry
from payproc.providers.stripe import STRIPE
from payproc.records import disputes, payments, refunds
from payproc.records.identity.users import create_user
from payproc.records.ledger import journal, matching
from payproc.settings import Settings
from tests.support.mailbox import Mailbox, Outgoing
from tests.support.shops.webhooks import endpoint_at, told


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    made = Database(database_url)
    yield made
    made.dispose()


@pytest.fixture
def pending(database: Database, settings: Settings) -> Payment:
    """A payment as the API leaves it: its start is staged."""
    request = PaymentRequest(
        money=Money.of(1999, "usd"),
        description="Two chairs",
        success_url="https://example.com/thanks",
        cancel_url="https://example.com/cart",
    )
    providers = registry.build(settings)
    app = Application(settings=settings, database=database, providers=providers, mailer=Outgoing(lambda _: None))
    with database.transaction() as session:
        user = create_user(session, email="amina@example.com", name="Amina Khan", role=Role.CUSTOMER)
    return checkout.take_payment(app, request, user=user, method=STRIPE)


@pytest.fixture
def completed(database: Database, pending: Payment) -> Payment:
    """A payment that was paid, on an operator's word, and whose start is done."""
    with database.transaction() as session:
        provenance = Provenance(source=Source.OPERATOR, evidence="rev_1")
        payment = payments.apply_fact(session, pending.id, Fact.PAID, provenance=provenance)
        session.execute(text("UPDATE jobs SET state = 'done' WHERE kind = 'payment.start'"))
        return payment


# Looped over for each other they take 400 million comparisons: 23 s on the machine where it was met.
TWENTY_THOUSAND_JOURNALS = """
    INSERT INTO journals (id, key, kind, evidence)
    SELECT 'jrn_' || n, 'adjustment:' || n, 'adjustment', n FROM generate_series(1, 20000) n;
    INSERT INTO ledger_entries (journal_id, account, provider, currency, amount_minor)
    SELECT 'jrn_' || n, account, 'stripe', 'usd', amount
    FROM generate_series(1, 20000) n, (VALUES ('fees', 1), ('receivable', -1)) AS side (account, amount)
"""


def break_by(database: Database, statement: str, **values: str) -> list[Broken]:
    with database.transaction() as session:
        session.execute(text(statement), values)
    with database.transaction() as session:
        return broken_invariants(session)


def only(found: list[Broken]) -> tuple[str, str]:
    [broken] = found
    assert broken.subject in broken.sentence
    return broken.name, broken.subject


def test_the_file_holds_these_invariants() -> None:
    assert list(invariants()) == [
        "status_is_the_fold_of_events",
        "changes_are_told",
        "told_in_sequence",
        "open_payment_has_work_or_review",
        "receipt_only_for_completed",
        "completed_has_receipt",
        "failure_only_for_failed",
        "refund_mail_only_for_refunds",
        "owed_mail_has_work_or_review",
        "pending_delivery_has_work_or_review",
        "open_refund_has_work_or_review",
        "refunds_are_covered",
        "refund_is_in_its_payments_currency",
        "refund_status_is_the_fold_of_events",
        "dispute_status_is_the_fold_of_events",
        "refunded_is_given_back",
        "payer_is_forgotten",
        "notice_is_settled",
        "ignored_notice_has_its_reason",
        "lease_runs_out",
        "completed_has_evidence",
        "journals_balance",
        "ledger_balances",
        "completed_has_sale",
        "refunds_are_booked",
        "receivable_is_what_is_owed",
        "matches_agree",
    ]


@pytest.mark.usefixtures("customer")
def test_every_invariant_holds_before_the_first_payment(app: Application) -> None:
    with app.database.transaction() as session:
        assert broken_invariants(session) == []


@pytest.mark.usefixtures("pending")
def test_every_invariant_holds_for_a_payment_that_is_pending(database: Database) -> None:
    assert break_by(database, "SELECT 1") == []


@pytest.mark.usefixtures("completed")
def test_every_invariant_holds_for_a_payment_that_is_completed(database: Database) -> None:
    assert break_by(database, "SELECT 1") == []


def test_a_status_that_no_event_explains_is_found(database: Database, pending: Payment) -> None:
    found = break_by(database, "UPDATE payments SET status = 'failed'")
    assert only(found) == ("status_is_the_fold_of_events", pending.id)


def test_an_event_that_starts_elsewhere_than_the_last_one_ended_is_found(database: Database, pending: Payment) -> None:
    found = break_by(
        database,
        "INSERT INTO payment_events (payment_id, fact, effect, from_status, to_status, source) "
        "SELECT id, 'processing', 'moved', 'failed', 'pending', 'api' FROM payments",
    )
    assert {(b.name, b.subject) for b in found} == {
        ("status_is_the_fold_of_events", pending.id),
        ("changes_are_told", pending.id),
    }


def test_an_open_payment_that_nobody_works_on_is_found(database: Database, pending: Payment) -> None:
    found = break_by(database, "UPDATE jobs SET state = 'dead'")
    assert only(found) == ("open_payment_has_work_or_review", pending.id)


def test_an_open_payment_that_a_person_has_is_not_forgotten(database: Database, pending: Payment) -> None:
    opened = (
        "WITH dead AS (UPDATE jobs SET state = 'dead') INSERT INTO reviews (id, kind, subject, payment_id, detail) "
        "SELECT 'rev_1', 'unsettled', id, id, 'look' FROM payments"
    )
    assert break_by(database, opened) == []
    found = break_by(database, "UPDATE reviews SET resolved_at = now(), resolution = 'looked'")
    assert only(found) == ("open_payment_has_work_or_review", pending.id)


def test_a_receipt_for_what_was_never_paid_is_found(database: Database, pending: Payment) -> None:
    found = break_by(
        database,
        "INSERT INTO emails (id, payment_id, kind, recipient, sent_at) "
        "VALUES ('eml_1', :payment, 'receipt', 'amina@example.com', now())",
        payment=pending.id,
    )
    assert only(found) == ("receipt_only_for_completed", "eml_1")


def test_a_completed_payment_without_a_receipt_is_found(database: Database, completed: Payment) -> None:
    found = break_by(database, "DELETE FROM emails")
    assert only(found) == ("completed_has_receipt", completed.id)


@pytest.mark.usefixtures("completed")
def test_a_mail_that_nobody_is_trying_to_send_is_found(database: Database) -> None:
    [broken] = break_by(database, "DELETE FROM jobs")
    assert (broken.name, broken.subject[:4]) == ("owed_mail_has_work_or_review", "eml_")


@pytest.mark.usefixtures("completed")
def test_a_mail_that_was_withdrawn_owes_nothing_and_is_no_receipt(database: Database) -> None:
    found = break_by(database, "WITH gone AS (DELETE FROM jobs) UPDATE emails SET withdrawn_at = now()")
    assert [broken.name for broken in found] == ["completed_has_receipt"]


def test_a_receipt_that_was_withdrawn_tells_nobody_of_what_was_never_paid(database: Database, pending: Payment) -> None:
    written = (
        "INSERT INTO emails (id, payment_id, kind, recipient, withdrawn_at) "
        "VALUES ('eml_1', :payment, 'receipt', 'amina@example.com', now())"
    )
    assert break_by(database, written, payment=pending.id) == []


def test_word_of_a_failure_that_never_was_is_found(database: Database, completed: Payment) -> None:
    written = (
        "INSERT INTO emails (id, payment_id, kind, recipient, sent_at) "
        "VALUES ('eml_1', :payment, 'failure', 'amina@example.com', now())"
    )
    found = break_by(database, written, payment=completed.id)
    assert only(found) == ("failure_only_for_failed", "eml_1")
    assert break_by(database, "UPDATE emails SET sent_at = NULL, withdrawn_at = now() WHERE id = 'eml_1'") == []


def test_word_of_a_failure_that_was_overtaken_by_the_payment_is_no_lie(database: Database, pending: Payment) -> None:
    provenance = Provenance(source=Source.OPERATOR, evidence="rev_1")
    for fact in (Fact.DECLINED, Fact.PAID):
        with database.transaction() as session:
            payments.apply_fact(session, pending.id, fact, provenance=provenance)
    assert break_by(database, "UPDATE emails SET sent_at = now()") == []


@pytest.mark.parametrize("kind", ["refund", "refund_failed"])
@pytest.mark.parametrize("about", ["ref_nobody", ""])
def test_a_mail_about_a_refund_that_is_none_of_its_payment_is_found(
    database: Database, completed: Payment, kind: str, about: str
) -> None:
    written = (
        "INSERT INTO emails (id, payment_id, kind, about, recipient, sent_at) "
        "VALUES ('eml_1', :payment, :kind, :about, 'amina@example.com', now())"
    )
    found = break_by(database, written, payment=completed.id, kind=kind, about=about)
    assert only(found) == ("refund_mail_only_for_refunds", "eml_1")


def test_a_mail_about_another_payments_refund_is_found(app: Application, customer: User, database: Database) -> None:
    mailbox = Mailbox(app=app, customer=customer)
    refunded, other = mailbox.payment(Fact.PAID), mailbox.payment(Fact.PAID)
    refund = mailbox.refund(refunded)
    moved = "UPDATE emails SET payment_id = :other WHERE about = :refund"
    [broken] = break_by(database, moved, other=other.id, refund=refund.id)
    assert broken.name == "refund_mail_only_for_refunds"
    assert (
        break_by(database, "UPDATE emails SET payment_id = :payment WHERE kind = 'refund'", payment=refunded.id) == []
    )


@pytest.mark.parametrize("state", ["new", "parked"])
def test_an_old_notice_that_nobody_applies_is_found(database: Database, state: str) -> None:
    store = (
        "INSERT INTO notices (id, provider, key, kind, body, headers, state, received_at) VALUES ('ntc_1', "
        "'stripe', 'evt_1', 'payment_intent.succeeded', '', '{}', :state, now() - interval '4 minutes')"
    )
    assert break_by(database, store, state=state) == []
    found = break_by(database, "UPDATE notices SET received_at = now() - interval '6 minutes'")
    assert only(found) == ("notice_is_settled", "ntc_1")
    with database.transaction() as session:
        jobs.stage(session, jobs.Kind.APPLY_NOTICE, "ntc_1")
    assert break_by(database, "SELECT 1") == []


def test_a_notice_ignored_without_a_reason_is_found(database: Database) -> None:
    found = break_by(
        database,
        "INSERT INTO notices (id, provider, key, kind, body, headers, state, received_at) VALUES "
        "('ntc_1', 'stripe', 'evt_1', 'a', '', '{}', 'ignored', now() - interval '6 minutes')",
    )
    assert only(found) == ("ignored_notice_has_its_reason", "ntc_1")
    assert break_by(database, "UPDATE notices SET reason = 'of no payment'") == []


def test_a_delivery_that_nobody_makes_is_found(app: Application) -> None:
    endpoint, _ = endpoint_at(app, "https://shop.example.com/hook")
    told(app, endpoint)
    assert break_by(app.database, "SELECT 1") == []
    name, subject = only(break_by(app.database, "UPDATE jobs SET state = 'done' WHERE kind = 'webhook.deliver'"))
    assert (name, subject[:4]) == ("pending_delivery_has_work_or_review", "dlv_")
    assert break_by(app.database, "UPDATE webhook_deliveries SET state = 'failed', ended_at = now()") == []


@pytest.mark.usefixtures("pending")
def test_a_lease_without_an_end_is_found(database: Database) -> None:
    assert break_by(database, "UPDATE jobs SET leased_until = now() + interval '59 minutes'") == []
    [broken] = break_by(database, "UPDATE jobs SET leased_until = now() + interval '2 hours'")
    assert (broken.name, broken.subject[:4]) == ("lease_runs_out", "job_")


def test_a_completed_payment_without_proof_is_found(database: Database, pending: Payment) -> None:
    with database.transaction() as session:
        payments.apply_fact(session, pending.id, Fact.PAID, provenance=Provenance(source=Source.API))
    found = break_by(database, "SELECT 1")
    assert only(found) == ("completed_has_evidence", pending.id)


def break_past_triggers(database: Database, statement: str, **values: str) -> list[Broken]:
    """Break a promise that a trigger keeps."""
    with database.transaction() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text(statement), values)
    return break_by(database, "SELECT 1")


@pytest.mark.usefixtures("completed")
def test_a_journal_that_does_not_balance_is_found_and_so_is_the_ledgers_total(database: Database) -> None:
    found = break_past_triggers(database, "UPDATE ledger_entries SET amount_minor = 5 WHERE account = 'receivable'")
    assert [broken.name for broken in found] == ["journals_balance", "ledger_balances"]
    assert {broken.subject[:4] for broken in found} == {"jrn_", "usd"}
    assert all(broken.subject in broken.sentence for broken in found)


@pytest.mark.usefixtures("completed")
def test_a_journal_without_entries_is_found(database: Database) -> None:
    found = break_past_triggers(
        database, "INSERT INTO journals (id, key, kind, evidence) VALUES ('jrn_1', 'line:stripe:x', 'line', 'x')"
    )
    assert only(found) == ("journals_balance", "jrn_1")


@pytest.mark.parametrize(
    "statement",
    [
        "WITH j AS (DELETE FROM journals) DELETE FROM ledger_entries",
        "UPDATE ledger_entries SET amount_minor = amount_minor + sign(amount_minor)",
    ],
)
def test_a_completed_payment_that_was_sold_for_another_amount_or_never_is_found(
    database: Database, completed: Payment, statement: str
) -> None:
    found = break_past_triggers(database, statement)
    assert only(found) == ("completed_has_sale", completed.id)


def test_a_sale_of_what_was_never_paid_is_found(database: Database, pending: Payment) -> None:
    with database.transaction() as session:
        journal.record_sale(session, session.get_one(Payment, pending.id))
    assert only(break_by(database, "SELECT 1")) == ("completed_has_sale", pending.id)


@pytest.fixture
def settled(database: Database, completed: Payment) -> SettlementLine:
    """The line of the completed payment, 0.88 of which is its fee."""
    made = SettlementLine(
        id="txn_1",
        kind=LineKind.CHARGE,
        category="charge",
        currency="usd",
        gross=1999,
        fee=88,
        net=1911,
        source="ch_1",
        created_at=datetime(2026, 3, 1, tzinfo=UTC),
    )
    with database.transaction() as session:
        sale = matching.own_journals(session, [completed.id])
        journal.record_line(session, STRIPE, made, answers=sale, payment_id=completed.id)
    return made


@pytest.mark.usefixtures("settled")
def test_what_is_owed_and_is_not_our_receivable_is_found(database: Database) -> None:
    assert break_by(database, "SELECT 1") == []
    lost = "DELETE FROM settlement_matches"
    assert only(break_past_triggers(database, lost)) == ("receivable_is_what_is_owed", STRIPE)


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE settlement_matches SET match = 'another' WHERE journal_id IS NOT NULL",
        "UPDATE settlement_lines SET kind = 'refund'",
        "UPDATE settlement_lines SET net = net + 1, fee = fee - 1",
    ],
)
def test_a_line_and_a_journal_that_met_and_do_not_agree_are_found(database: Database, statement: str) -> None:
    found = break_past_triggers(database, statement)
    assert {broken.name for broken in found} & {"matches_agree"}


@pytest.fixture
def refunded(database: Database, completed: Payment, settings: Settings) -> Refund:
    """A refund of 5.00 that went through."""
    app = Application(
        settings=settings, database=database, providers=registry.build(settings), mailer=Outgoing(lambda _: None)
    )
    with database.transaction() as session:
        user = session.get_one(User, completed.user_id)
        made = request_refund.request_refund(app, session, completed.id, user=user, money=Money.of(500, "usd"))
        provenance = Provenance(source=Source.OPERATOR, evidence="rev_1")
        refunds.apply_fact(session, made.id, RefundFact.SUCCEEDED, provenance=provenance)
        session.execute(text("UPDATE jobs SET state = 'done' WHERE kind = 'refund.send'"))
        return made


def test_a_refund_that_was_booked_for_another_amount_or_never_is_found(database: Database, refunded: Refund) -> None:
    assert break_by(database, "SELECT 1") == []
    other = "UPDATE ledger_entries SET amount_minor = 2 * amount_minor WHERE abs(amount_minor) = 500"
    assert only(break_past_triggers(database, other)) == ("refunds_are_booked", refunded.id)
    never = (
        "WITH j AS (DELETE FROM journals WHERE kind = 'refund') "
        "DELETE FROM ledger_entries WHERE abs(amount_minor) = 1000"
    )
    assert only(break_past_triggers(database, never)) == ("refunds_are_booked", refunded.id)


def test_a_refund_that_came_to_nothing_and_is_still_booked_is_found(database: Database, refunded: Refund) -> None:
    told = (
        "WITH told AS (INSERT INTO refund_events (refund_id, fact, effect, from_status, to_status, source) "
        "SELECT id, 'failed', 'moved', 'succeeded', 'failed', 'notice' FROM refunds) "
        "UPDATE refunds SET status = 'failed'"
    )
    assert only(break_by(database, told)) == ("refunds_are_booked", refunded.id)
    with database.transaction() as session:
        journal.record_refund_undone(session, refunded, session.get_one(Payment, refunded.payment_id))
    assert break_by(database, "SELECT 1") == []


def test_the_database_refuses_to_change_or_drop_an_event(database: Database, pending: Payment) -> None:
    for statement in ("UPDATE payment_events SET to_status = 'completed'", "DELETE FROM payment_events"):
        with pytest.raises(Exception, match="only ever added"):
            break_by(database, statement)
    assert pending.status == "pending"


@pytest.fixture
def disputed(database: Database, completed: Payment) -> Dispute:
    """A dispute over 5.00 that waits for an answer."""
    remote = RemoteDispute(
        provider_id="dp_1",
        references={},
        money=Money.of(500, "usd"),
        status=DisputeStatus.NEEDS_RESPONSE,
        reported_at=datetime(2026, 11, 24, tzinfo=UTC),
    )
    with database.transaction() as session:
        provenance = Provenance(source=Source.NOTICE, evidence="ntc_1")
        return disputes.record_remote(session, completed, remote, provenance=provenance, operator_mail=None)


def test_every_invariant_holds_for_a_payment_with_a_refund_and_a_dispute(
    database: Database, refunded: Refund, disputed: Dispute
) -> None:
    assert (refunded.status, disputed.status) == ("succeeded", "needs_response")
    assert break_by(database, "SELECT 1") == []


def test_a_refund_whose_status_no_event_explains_is_found(database: Database, refunded: Refund) -> None:
    found = break_by(database, "UPDATE refunds SET status = 'cancelled'")
    assert ("refund_status_is_the_fold_of_events", refunded.id) in {(b.name, b.subject) for b in found}


def test_a_refund_event_that_starts_elsewhere_is_found(database: Database, refunded: Refund) -> None:
    found = break_by(
        database,
        "INSERT INTO refund_events (refund_id, fact, effect, from_status, to_status, source) "
        "SELECT id, 'succeeded', 'moved', 'pending', 'succeeded', 'api' FROM refunds",
    )
    assert only(found) == ("refund_status_is_the_fold_of_events", refunded.id)


def test_a_dispute_whose_status_no_event_explains_is_found(database: Database, disputed: Dispute) -> None:
    found = break_by(database, "UPDATE disputes SET status = 'won'")
    assert only(found) == ("dispute_status_is_the_fold_of_events", disputed.id)


def test_more_given_back_than_was_paid_is_found_until_a_person_knows(
    database: Database, completed: Payment, refunded: Refund
) -> None:
    found = break_by(database, "UPDATE payments SET amount_minor = 499 WHERE id = :id", id=completed.id)
    assert refunded.amount_minor == 500
    assert ("refunds_are_covered", completed.id) in {(b.name, b.subject) for b in found}
    found = break_by(
        database,
        "INSERT INTO reviews (id, kind, subject, payment_id, detail) "
        "SELECT 'rev_2', 'refund_mismatch', id, payment_id, 'look' FROM refunds WHERE id = :id",
        id=refunded.id,
    )
    assert "refunds_are_covered" not in {broken.name for broken in found}
    found = break_by(database, "UPDATE reviews SET resolved_at = now(), resolution = 'asked for it back'")
    assert "refunds_are_covered" not in {broken.name for broken in found}
    found = break_by(database, "UPDATE refunds SET created_at = now() + interval '1 second'")
    assert "refunds_are_covered" in {broken.name for broken in found}


def test_a_change_that_nobody_was_told_of_is_found(database: Database, completed: Payment) -> None:
    found = break_by(database, "DELETE FROM events WHERE type = 'payment.completed'")
    assert {(b.name, b.subject) for b in found} == {
        ("changes_are_told", completed.id),
        ("told_in_sequence", completed.id),
    }


def test_an_event_without_its_change_is_found(database: Database, completed: Payment) -> None:
    found = break_by(
        database,
        "WITH counted AS (UPDATE payments SET event_sequence = event_sequence + 1 RETURNING id, event_sequence) "
        "INSERT INTO events (id, type, payment_id, subject, sequence, data) "
        "SELECT 'evt_1', 'payment.failed', id, id, event_sequence, '{}' FROM counted",
    )
    assert only(found) == ("changes_are_told", completed.id)


def test_an_event_that_is_missing_between_others_or_at_the_end_is_found(database: Database, completed: Payment) -> None:
    assert only(break_by(database, "UPDATE payments SET event_sequence = event_sequence + 1")) == (
        "told_in_sequence",
        completed.id,
    )
    found = break_by(
        database,
        "UPDATE payments SET event_sequence = event_sequence + 1; "
        "UPDATE events SET sequence = sequence + 2 WHERE type = 'payment.completed'",
    )
    assert only(found) == ("told_in_sequence", completed.id)


def test_what_was_told_and_is_forgotten_is_missed_by_nobody(database: Database, completed: Payment) -> None:
    assert completed.id
    forgotten = "INSERT INTO watermarks (name, at) VALUES ('events_life', now())"
    assert break_by(database, forgotten) == break_by(database, "DELETE FROM events WHERE sequence = 1") == []
    # What lies a month back is no excuse for what is of today.
    younger = "UPDATE watermarks SET at = now() - interval '30 days'"
    assert {broken.subject for broken in break_by(database, younger)} == {completed.id}


def test_a_payment_that_an_earlier_release_took_has_no_events_to_miss(database: Database, completed: Payment) -> None:
    assert completed.id
    assert break_by(database, "DELETE FROM events; UPDATE payments SET event_sequence = 0") == []


def test_a_payment_called_refunded_of_which_something_is_left_is_found(
    database: Database, completed: Payment, refunded: Refund
) -> None:
    assert refunded.amount_minor < completed.amount_minor
    found = break_by(
        database,
        "WITH told AS (INSERT INTO payment_events (payment_id, fact, effect, from_status, to_status, source) "
        "SELECT id, 'refunded', 'moved', 'completed', 'refunded', 'api' FROM payments) "
        "UPDATE payments SET status = 'refunded'",
    )
    assert {(b.name, b.subject) for b in found} == {
        ("refunded_is_given_back", completed.id),
        ("changes_are_told", completed.id),
    }


def test_a_refund_that_nobody_works_on_is_found(database: Database, completed: Payment, settings: Settings) -> None:
    app = Application(
        settings=settings, database=database, providers=registry.build(settings), mailer=Outgoing(lambda _: None)
    )
    with database.transaction() as session:
        user = session.get_one(User, completed.user_id)
        made = request_refund.request_refund(app, session, completed.id, user=user, money=None)
    found = break_by(database, "DELETE FROM jobs WHERE kind = 'refund.send'")
    assert only(found) == ("open_refund_has_work_or_review", made.id)


def test_a_payer_who_is_kept_after_the_payments_end_is_found(database: Database, completed: Payment) -> None:
    found = break_by(database, "UPDATE payments SET sealed_payer = 'sealed'")
    assert only(found) == ("payer_is_forgotten", completed.id)


def test_a_refund_in_another_currency_than_its_payment_is_found(database: Database, completed: Payment) -> None:
    with database.transaction() as session:
        # As an earlier release could write it.
        session.execute(text("ALTER TABLE refunds DROP CONSTRAINT fk_refunds_payment_currency"))
    row = (
        "INSERT INTO refunds (id, payment_id, amount_minor, currency, status) VALUES ('ref_1', :id, 5, 'eur', 'failed')"
    )
    found = {broken.name: broken.subject for broken in break_by(database, row, id=completed.id)}
    assert found["refund_is_in_its_payments_currency"] == "ref_1"


def test_books_that_statistics_call_empty_are_summed_in_the_time_of_one_statement(database: Database) -> None:
    """Autovacuum may analyze a table while it is being filled, and sees no row of it."""
    with database.transaction() as filling:
        filling.execute(text(TWENTY_THOUSAND_JOURNALS))
        with database.transaction() as other:
            other.execute(text("ANALYZE journals, ledger_entries, settlement_matches"))
    with database.transaction() as session:
        session.execute(text("SET LOCAL statement_timeout = '3s'"))
        assert broken_invariants(session) == []
