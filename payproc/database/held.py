"""What a transaction holds of payments: the rows that it has locked, and what it has looked for among all.

A lock lasts until the transaction ends, and nobody writes a payment or a refund of it without. So what was read once
under it changes by this session's own hand alone, and is not read again.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from functools import cache

from sqlalchemy import Select, String, any_, bindparam, or_, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from payproc.database.engine import rows_within
from payproc.database.models import Payment
from payproc.domain.payment_methods import PaymentMethod
from payproc.domain.references import References

_HELD = "held"

# A column of payments that names one of them, and a value.
Name = tuple[str, str]


class HeldPayments:
    """The payments that one transaction has locked."""

    def __init__(self) -> None:
        # Strongly, for a session forgets what nobody holds and nothing has changed.
        self._payments: dict[str, Payment] = {}
        self._looked_for: set[Name] = set()
        self._by_name: dict[Name, Payment] = {}
        self._without_refunds: set[str] = set()

    def add(self, payments: Iterable[Payment], *, looked_for: Iterable[Name] = ()) -> None:
        """Keep what was locked, and the names by which all that have one were found."""
        found, names = {payment.id: payment for payment in payments}, set(looked_for)
        self._payments |= found
        self._looked_for |= names
        for column in {column for column, _ in names}:
            self._by_name |= {(column, getattr(payment, column)): payment for payment in found.values()}

    def get(self, payment_id: str) -> Payment | None:
        """Return a payment that is held."""
        return self._payments.get(payment_id)

    def was_looked_for(self, name: Name) -> bool:
        """Whether every payment with this name is among those held.

        Somebody may have given it to another since: its unique column refuses that, as it does after any other look.
        """
        return name in self._looked_for

    def learn(self, payment: Payment, name: Name) -> None:
        """Take note that a payment has been given another name."""
        self._by_name[name] = payment

    def named(self, name: Name) -> Payment | None:
        """Return the held payment that has a name now; it may have learned it in this transaction."""
        column, value = name
        found = self._by_name.get(name)
        return found if found is not None and getattr(found, column) == value else None

    def has_no_refund(self, payment_id: str) -> bool:
        """Whether a payment surely has none."""
        return payment_id in self._without_refunds

    def note_refunds(self, payment_ids: Collection[str], *, of: Collection[str] = ()) -> None:
        """Learn which payments have refunds, and which of `of` have none."""
        self._without_refunds = (self._without_refunds | set(of)) - set(payment_ids)


def held_payments(session: Session) -> HeldPayments:
    """Return what this session's transaction holds."""
    found: HeldPayments = session.info.setdefault(_HELD, HeldPayments())
    return found


def hold_all(session: Session, names: Iterable[Name]) -> None:
    """Lock every payment that has one of these names, and read what is asked of them next.

    One statement, in the order of their ids, and their orders after them in the order of theirs: whoever else locks
    several (a page of reconciliation) does the same, so that none waits for the other.
    """
    wanted = {name for name in names if name[1]}
    if not wanted:
        return
    values: dict[str, set[str]] = defaultdict(set)
    for column, value in wanted:
        values[column].add(value)
    query = _locking(tuple(sorted(values)))
    found = session.scalars(query, {column: sorted(named) for column, named in values.items()}).all()
    held = held_payments(session)
    held.add(found, looked_for=wanted)
    # Under the lock: whoever it was waited for may have written one.
    ids = [payment.id for payment in found]
    refunded = rows_within(session, _REFUNDED, {"ids": ids}) if ids else ()
    held.note_refunds({payment_id for (payment_id,) in refunded}, of=ids)
    if orders := {payment.order_id for payment in found if payment.order_id}:
        session.execute(_LOCK_ORDERS, {"ids": sorted(orders)})


_REFUNDED = "SELECT payment_id FROM refunds WHERE payment_id = ANY (%(ids)s)"
_LOCK_ORDERS = text("SELECT id FROM orders WHERE id = ANY (CAST(:ids AS text[])) ORDER BY id FOR UPDATE")


@cache
def _locking(columns: tuple[str, ...]) -> Select[Payment]:
    # An array for each column: the same statement for any number of names, and an index for each. Put together once:
    # each time it took longer than to ask.
    named = or_(*(getattr(Payment, each) == any_(bindparam(each, type_=ARRAY(String))) for each in columns))
    query = select(Payment).where(named).order_by(Payment.id).with_for_update()
    return query.execution_options(populate_existing=True)


def find_by_our_reference(session: Session, reference: str | None, *, method: PaymentMethod) -> Payment | None:
    """Find a provider's payment by our own reference. A missing or an empty one matches nothing."""
    found = find_by(session, Payment.reference.key, reference) if reference else None
    return found if found is not None and found.payment_method == method else None


def find_named(session: Session, ours: Sequence[str], theirs: References, *, method: PaymentMethod) -> Payment | None:
    """Find a provider's payment by what may be our reference, in that order, or else by the provider's own ids."""
    for reference in ours:
        found = find_by_our_reference(session, reference, method=method)
        if found is not None:
            return found
    found = find_by_reference(session, theirs)
    return found if found is not None and found.payment_method == method else None


def find_by_reference(session: Session, references: References) -> Payment | None:
    """Find the payment a provider means, by any of the ids the provider gave it. Empty ids match nothing."""
    for reference, value in references.items():
        found = find_by(session, reference, value) if value else None
        if found is not None:
            return found
    return None


def find_by(session: Session, column: str, value: str) -> Payment | None:
    """Find the payment that has a value in a column in which no two have the same."""
    held = held_payments(session)
    if held.was_looked_for((column, value)):
        return held.named((column, value))
    return session.scalar(select(Payment).where(getattr(Payment, column) == value))
