"""Ten thousand payments with every kind of difference seeded: one run finds each and no other."""

import itertools
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import psutil
import pytest
import requests
from sqlalchemy import insert, text

from payproc.database.models import (
    Account,
    Email,
    EmailKind,
    FindingKind,
    Journal,
    JournalKind,
    LedgerEntry,
    Loop,
    Payment,
    PaymentEvent,
    ReconciliationRun,
)
from payproc.domain.ids import Prefix, new_id, new_reference
from payproc.domain.provenance import Source
from payproc.domain.states import Effect, Fact, PaymentStatus
from payproc.operations.doctor import broken_invariants
from payproc.providers.stripe import STRIPE
from tests.payproc.reconcile.audit import Audit

log = logging.getLogger(__name__)

COUNT = 10_000
AT_ONCE = 1000
# One per cent of the webhooks never came.
DROPPED = 100
MOST_BYTES = 48 * 1024 * 1024

Seeded = set[tuple[FindingKind, str, str]]


@dataclass(kw_only=True)
class Shop:
    """What both sides have, and what was seeded between them: (kind, our id, theirs)."""

    audit: Audit
    rows: list[dict[str, Any]] = field(default_factory=list)
    seeded: Seeded = field(default_factory=set)

    def seed(self, kind: FindingKind, rows: Sequence[dict[str, Any]], *, theirs: str = "payment_intent") -> None:
        self.seeded |= {(kind, row["payment_id"], row[theirs]) for row in rows}


def batches(items: Sequence[dict[str, Any]]) -> Iterator[Sequence[dict[str, Any]]]:
    for first in range(0, len(items), AT_ONCE):
        yield items[first : first + AT_ONCE]


def fill(audit: Audit) -> Shop:
    """Make ten thousand payments at Stripe, and our rows of the same."""
    shop = Shop(audit=audit)
    two_days_ago = int((datetime.now(UTC) - timedelta(days=2)).timestamp())
    wanted = [
        {
            "payment_id": new_id(Prefix.PAYMENT),
            "reference": new_reference(),
            "amount": 1000 + number,
            "currency": "usd",
            "created": two_days_ago + number,
            "events": False,
        }
        for number in range(COUNT)
    ]
    for part in batches(wanted):
        made = audit.world.at_stripe("bulk", payments=list(part))["payments"]
        shop.rows += [{**ours, **theirs} for ours, theirs in zip(part, made, strict=True)]
    for number, part in enumerate(batches(shop.rows)):
        write_ours(audit, part, paid_from=DROPPED if number == 0 else 0)
    shop.seed(FindingKind.MISSED_EVENT, shop.rows[:DROPPED])
    return shop


def write_ours(audit: Audit, rows: Sequence[dict[str, Any]], *, paid_from: int) -> None:
    """Write payments as their events would have left them: those before `paid_from` have only begun."""
    begun, paid = rows[:paid_from], rows[paid_from:]
    with audit.world.app.database.transaction() as session:
        ours = [payment_row(audit, row, paid=False) for row in begun]
        session.execute(insert(Payment), ours + [payment_row(audit, row, paid=True) for row in paid])
        created = [event_row(row, Fact.CREATED, None, PaymentStatus.PENDING) for row in rows]
        completed = [event_row(row, Fact.PAID, PaymentStatus.PENDING, PaymentStatus.COMPLETED) for row in paid]
        session.execute(insert(PaymentEvent), created + completed)
        session.execute(insert(Email), [email_row(row) for row in paid])
        journals = [journal_row(row) for row in paid]
        session.execute(insert(Journal), journals)
        session.execute(
            insert(LedgerEntry), [side for row, j in zip(paid, journals, strict=True) for side in sides(row, j)]
        )
        session.execute(
            text(
                "INSERT INTO jobs (id, kind, queue, subject, dedupe_key, due_at) "
                "SELECT 'job_' || id, 'payment.inquire', 'provider.stripe', id, 'payment.inquire:' || id, "
                "now() + interval '1 day' FROM payments WHERE status = 'pending' ON CONFLICT DO NOTHING"
            )
        )


def payment_row(audit: Audit, row: dict[str, Any], *, paid: bool) -> dict[str, Any]:
    created_at = datetime.fromtimestamp(row["created"], UTC)
    return {
        "id": row["payment_id"],
        "user_id": audit.world.customer.id,
        "amount_minor": row["amount"],
        "currency": row["currency"],
        "status": PaymentStatus.COMPLETED if paid else PaymentStatus.PENDING,
        "payment_method": STRIPE,
        "reference": row["reference"],
        "dialect": "checkout",
        "environment": audit.world.app.settings.environment,
        "live_mode": False,
        "description": "Two mangoes",
        "meta": {},
        "stripe_session_id": row["session"],
        "stripe_payment_intent_id": row["payment_intent"] if paid else None,
        "stripe_charge_id": row["charge"] if paid else None,
        "created_at": created_at,
        "completed_at": created_at if paid else None,
    }


def event_row(row: dict[str, Any], fact: Fact, before: PaymentStatus | None, after: PaymentStatus) -> dict[str, Any]:
    return {
        "payment_id": row["payment_id"],
        "fact": fact,
        "effect": Effect.MOVED,
        "from_status": before,
        "to_status": after,
        "source": Source.NOTICE,
        "evidence": "ntc_of_a_test",
    }


def email_row(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "payment_id": row["payment_id"],
        "kind": EmailKind.RECEIPT,
        "recipient": "amina@example.com",
        "sent_at": datetime.now(UTC),
    }


def journal_row(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": new_id(Prefix.JOURNAL),
        "key": f"sale:{row['payment_id']}",
        "kind": JournalKind.SALE,
        "payment_id": row["payment_id"],
        "evidence": row["reference"],
    }


def sides(row: dict[str, Any], journal: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for account, amount in ((Account.RECEIVABLE, row["amount"]), (Account.SALES, -row["amount"])):
        yield {
            "journal_id": journal["id"],
            "account": account,
            "provider": STRIPE,
            "currency": row["currency"],
            "amount_minor": amount,
        }


def seed(shop: Shop) -> None:
    """Seed differences of every kind, each on payments of its own."""
    rows = iter(shop.rows[DROPPED:])

    def take(count: int) -> list[dict[str, Any]]:
        return list(itertools.islice(rows, count))

    audit, world = shop.audit, shop.audit.world
    for kind, count, patch in (
        (FindingKind.AMOUNT_MISMATCH, 30, {"amount_received": 1}),
        (FindingKind.CURRENCY_MISMATCH, 5, {"currency": "eur"}),
        (FindingKind.LIVEMODE_MISMATCH, 5, {"livemode": True}),
        (FindingKind.LOCAL_AHEAD, 10, {"status": "canceled", "amount_received": 0}),
    ):
        altered = take(count)
        for row in altered:
            audit.patch(row["payment_intent"], **patch)
        shop.seed(kind, altered)
    forgotten = take(20)
    for row in forgotten:
        delete(audit, row["payment_intent"])
    shop.seed(FindingKind.MISSING_REMOTE, forgotten)
    seed_extra(shop, twice=take(10))
    lineless = take(15)
    for row in lineless:
        delete(audit, row["balance_transaction"])
    shop.seed(FindingKind.FEE_MISSING, lineless, theirs="charge")
    skewed = take(15)
    for row in skewed:
        line = world.stripe().v1.balance_transactions.retrieve(row["balance_transaction"])
        audit.patch(line.id, amount=line.amount - 7, net=line.net - 7)
    shop.seed(FindingKind.LEDGER_IMBALANCE, skewed, theirs="balance_transaction")
    for row in take(40):
        words: Any = {"payment_intent": row["payment_intent"], "amount": 500}
        made = world.stripe().v1.refunds.create(words)
        shop.seeded.add((FindingKind.REFUND_MISSING_LOCAL, row["payment_id"], made.id))
    for row in take(10):
        disputed = world.at_stripe(f"payment_intents/{row['payment_intent']}/dispute")
        shop.seeded.add((FindingKind.DISPUTE_UNKNOWN, row["payment_id"], disputed["id"]))


def seed_extra(shop: Shop, *, twice: Sequence[dict[str, Any]]) -> None:
    """Charge at Stripe what we know nothing of, and what we know of a second time."""
    created = int((datetime.now(UTC) - timedelta(days=1)).timestamp())
    strangers = [
        {"payment_id": new_id(Prefix.PAYMENT), "reference": new_reference(), "amount": 77700, "currency": "usd"}
        for _ in range(20)
    ]
    again = [{name: row[name] for name in ("payment_id", "reference", "amount", "currency")} for row in twice]
    wanted = [{**each, "created": created, "events": False} for each in (*strangers, *again)]
    made = shop.audit.world.at_stripe("bulk", payments=wanted)["payments"]
    for each in made[: len(strangers)]:
        shop.seeded.add((FindingKind.MISSING_LOCAL, "", each["payment_intent"]))
    for each in made[len(strangers) :]:
        shop.seeded.add((FindingKind.DUPLICATE_CHARGE, each["payment_id"], each["payment_intent"]))


def delete(audit: Audit, name: str) -> None:
    requests.delete(f"{audit.world.gateway.base_url}/_sandbox/objects/{name}", timeout=5).raise_for_status()


REPAIRED = {FindingKind.MISSED_EVENT, FindingKind.REFUND_MISSING_LOCAL, FindingKind.DISPUTE_UNKNOWN}


def reconcile(audit: Audit) -> tuple[ReconciliationRun, ReconciliationRun]:
    done = audit.run(Loop.OBJECTS), audit.run(Loop.MONEY)
    for run in done:
        assert run.finished_at is not None
        seconds = (run.finished_at - run.started_at).total_seconds()
        resident = psutil.Process().memory_info().rss / 2**20
        # Seen with `--log-cli-level=INFO` (docs/performance.md).
        log.info("%s: %.1f s, %d calls, %.0f MiB resident after it", run.loop, seconds, run.calls, resident)
    return done


def found(audit: Audit) -> Seeded:
    return {(f.kind, f.ours, f.theirs) for f in audit.findings()}


def state(audit: Audit) -> list[Any]:
    """Everything that a run could change, but its own row."""
    tables = ("payments", "payment_events", "refunds", "refund_events", "disputes", "dispute_events", "journals")
    more = ("ledger_entries", "settlement_lines", "reconciliation_findings", "reviews", "emails", "jobs")
    with audit.world.app.database.transaction() as session:
        hashed = "SELECT count(*), md5(string_agg(t::text, '' ORDER BY t::text)) FROM {} t"
        return [(table, *session.execute(text(hashed.format(table))).one()) for table in (*tables, *more)]


@pytest.fixture
def shop(audit: Audit) -> Shop:
    made = fill(audit)
    seed(made)
    return made


@pytest.mark.long
def test_one_run_finds_every_seeded_difference_alone_and_a_second_changes_nothing(shop: Shop) -> None:
    audit = shop.audit
    objects, money = reconcile(audit)

    assert found(audit) == shop.seeded
    mended = {f.kind for f in audit.findings(is_open=False)}
    assert (mended, {f.kind for f in audit.findings(is_open=True)} & REPAIRED) == (REPAIRED, set())
    for row in shop.rows[:DROPPED]:
        assert audit.world.status(row["payment_id"]) is PaymentStatus.COMPLETED
    assert objects.counts["compared"]["payments"] == COUNT + 30 - 20
    # A hundred objects a call, and a call for each payment that no list had.
    assert objects.calls <= (COUNT + 30) // 100 + 1 + 20 + 2
    assert money.calls <= (COUNT + 100) // 100 + 2
    before, resident = state(audit), psutil.Process().memory_info().rss
    reconcile(audit)
    assert state(audit) == before
    # A run holds a page at a time: all ten thousand at once, with their rows, would be more than this.
    assert psutil.Process().memory_info().rss - resident < MOST_BYTES
    with audit.world.app.database.transaction() as session:
        assert broken_invariants(session) == []
