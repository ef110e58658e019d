"""What is in suspense: the provider moved it, and neither a journal of ours nor a person has explained it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from payproc.domain.money import Money


@dataclass(frozen=True, kw_only=True)
class InSuspense:
    """What of one movement is unexplained, by its first line; a debit is positive, as in the books."""

    line_id: str
    category: str
    source: str | None
    payment_id: str | None
    created_at: datetime
    lines: int
    money: Money


# A line's own journals have its name in their keys; a person's name the line in their draft. Lines of one payment
# explain each other: a debit that was shown and did not arrive, a charge of nobody's that was given back. One that has
# met what it answers is told of as a difference of the two, unless a person has had a hand in it.
_IN_SUSPENSE = text(r"""
    WITH moved AS (
        SELECT j.id, j.key, j.kind, e.provider, e.currency, e.amount_minor
        FROM ledger_entries e JOIN journals j ON j.id = e.journal_id
        WHERE e.account = 'suspense' AND e.provider = :provider
    ),
    named AS (
        SELECT substr(key, length(kind || '::' || provider) + 1) AS line_id, currency, amount_minor, false AS by_hand
        FROM moved WHERE kind IN ('line', 'clearing')
        UNION ALL
        SELECT d.line_id, m.currency, m.amount_minor, true
        FROM moved m JOIN ledger_drafts d ON d.journal_id = m.id
        WHERE d.line_id IS NOT NULL
    ),
    of_line AS (
        SELECT line_id, currency, sum(amount_minor) AS amount_minor, bool_or(by_hand) AS by_hand
        FROM named GROUP BY line_id, currency
    )
    SELECT (array_agg(l.line_id ORDER BY l.created_at, l.line_id))[1],
           (array_agg(l.category ORDER BY l.created_at, l.line_id))[1],
           (array_agg(l.source ORDER BY l.created_at, l.line_id))[1],
           max(l.payment_id), min(l.created_at), count(DISTINCT l.line_id), o.currency, sum(o.amount_minor)
    FROM of_line o
    JOIN settlement_lines l ON l.provider = :provider AND l.line_id = o.line_id
    LEFT JOIN settlement_matches x ON x.provider = l.provider AND x.line_id = l.line_id
    WHERE x.number IS NULL OR o.by_hand
    GROUP BY coalesce(l.payment_source, l.source, l.line_id), o.currency
    HAVING sum(o.amount_minor) <> 0
    ORDER BY 1, o.currency
""")


def in_suspense(session: Session, provider: str) -> Sequence[InSuspense]:
    """Return what of a provider's balance nobody has explained, by what moved it."""
    rows = session.execute(_IN_SUSPENSE, {"provider": provider})
    return [
        InSuspense(
            line_id=line_id,
            category=category,
            source=source,
            payment_id=payment_id,
            created_at=created_at,
            lines=lines,
            money=Money.of(int(amount), currency),
        )
        for line_id, category, source, payment_id, created_at, lines, currency, amount in rows
    ]
