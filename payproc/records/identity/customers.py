"""The customers whom a shop names: found or made once, changed as the shop says, and forgotten at their request."""

from dataclasses import dataclass

from sqlalchemy import func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from payproc.database.engine import rows_within, transaction_time
from payproc.database.models import Email, EmailKind, Payment, Role, User
from payproc.database.payer_encryption import PayerCipher
from payproc.domain.languages import Locale
from payproc.domain.pagination import cursor_of, read_cursor
from payproc.domain.phones import masked, normalised
from payproc.domain.requests.customer import CustomerRequest, check_email
from payproc.domain.states import OPEN
from payproc.errors import Conflict, NotFound
from payproc.providers.requests import Payer
from payproc.records.identity import permissions
from payproc.records.identity.permissions import Act

_FORGOTTEN = "forgotten"


def named_customer(session: Session, wanted: CustomerRequest, *, by: User | None, cipher: PayerCipher) -> User:
    """Return the customer whom `by` names, made now if need be, and with what is said of them.

    A shop's are its own: who has the same address elsewhere, whatever their role, is somebody else. Those that the
    staff names (or nobody, at the command line) are the house's, and there an address is one user's. Raises
    InvalidRequest for an address or a phone that cannot be one, and Conflict where the staff names one of their own.
    """
    check_email(wanted.email)
    phone = normalised(wanted.phone) if wanted.phone else None
    shop_id = by.id if by is not None and by.role is Role.SHOP else None
    if shop_id and wanted.reference:
        _in_turn(session, shop_id, wanted.reference)
    found = _found(session, wanted, shop_id=shop_id) or _made(session, wanted, shop_id=shop_id)
    # Nobody made by hand has the address of another of the house's: the second of two at the same moment finds it here.
    customer = found or _found(session, wanted, shop_id=shop_id)
    if customer is None or customer.role is not Role.CUSTOMER:
        raise Conflict(f"{wanted.email} is the address of one of the staff.", code="email_not_a_customers")
    _learn(customer, wanted, phone=phone, cipher=cipher)
    return customer


_ONE_BY_ONE = "SELECT pg_advisory_xact_lock(hashtextextended(%(name)s, 0))"


def _in_turn(session: Session, shop_id: str, reference: str) -> None:
    """Wait for whoever gives this reference to somebody now: two known by their addresses alone could both get it."""
    rows_within(session, _ONE_BY_ONE, {"name": f"customer {shop_id} {reference}"})


def _found(session: Session, wanted: CustomerRequest, *, shop_id: str | None) -> User | None:
    query = select(User).where(User.shop_id == shop_id, User.erased_at.is_(None), User.token_subject.is_(None))
    by_address = query.where(func.lower(User.email) == wanted.email.lower()).order_by(User.created_at, User.id).limit(1)
    if wanted.reference is None or shop_id is None:
        return session.scalar(by_address)
    named = session.scalar(query.where(User.reference == wanted.reference))
    # One who was known by their address alone has a reference from now on.
    return named or session.scalar(by_address.where(User.reference.is_(None)))


def _made(session: Session, wanted: CustomerRequest, *, shop_id: str | None) -> User | None:
    return session.scalar(
        insert(User)
        .values(
            email=wanted.email,
            full_name=wanted.name or wanted.email,
            role=Role.CUSTOMER,
            shop_id=shop_id,
            reference=wanted.reference if shop_id else None,
        )
        .on_conflict_do_nothing()
        .returning(User)
    )


def _learn(customer: User, wanted: CustomerRequest, *, phone: str | None, cipher: PayerCipher) -> None:
    customer.email = wanted.email
    customer.full_name = wanted.name or customer.full_name
    customer.locale = wanted.locale or customer.locale
    if customer.shop_id is not None:
        customer.reference = wanted.reference or customer.reference
    if phone is not None:
        customer.phone = masked(phone)
        customer.encrypted_phone = cipher.encrypt(Payer(phone=phone))


def visible_customer(session: Session, customer_id: str, *, user: User) -> User:
    """Return the customer if this user may see them.

    Raises NotFound otherwise.
    """
    found = session.get(User, customer_id)
    seen = found is not None and found.role is Role.CUSTOMER
    if found is None or not seen or not permissions.reaches(Act.SEE_CUSTOMERS, user=user, owners=_owners(found)):
        raise NotFound(f"There is no customer {customer_id}.", code="customer_not_found", subject=customer_id)
    return found


def _owners(customer: User) -> tuple[str, ...]:
    return (customer.shop_id,) if customer.shop_id else ()


@dataclass(frozen=True, kw_only=True)
class CustomerPage:
    """Customers and where the next page begins; None on the last."""

    customers: list[User]
    next_cursor: str | None


def page_of_customers(
    session: Session, *, user: User, email: str | None, reference: str | None, limit: int, cursor: str | None
) -> CustomerPage:
    """Return up to `limit` customers, newest first: a shop's own, or everybody's for the staff.

    Raises InvalidRequest for a cursor that is not one of ours.
    """
    query = select(User).where(User.role == Role.CUSTOMER).order_by(User.created_at.desc(), User.id.desc())
    if not permissions.reaches_all(Act.SEE_CUSTOMERS, user=user):
        query = query.where(User.shop_id == user.id)
    if email is not None:
        query = query.where(func.lower(User.email) == email.lower())
    if reference is not None:
        query = query.where(User.reference == reference)
    if cursor is not None:
        query = query.where(tuple_(User.created_at, User.id) < read_cursor(cursor))
    found = list(session.scalars(query.limit(limit + 1)))
    last = found[limit - 1] if len(found) > limit else None
    return CustomerPage(customers=found[:limit], next_cursor=cursor_of(last.created_at, last.id) if last else None)


def erase(session: Session, customer_id: str, *, user: User) -> User:
    """Take away what can name a customer: address, name, phones, and to whom mail went. Payments and books stay.

    What a provider knows of them is the provider's to erase. Raises NotFound, NotAllowed, and Conflict while a payment
    of theirs is open: its wallet still has to be told whom to ask.
    """
    permissions.check_owner(
        Act.ERASE_CUSTOMER, user=user, owners=_owners(visible_customer(session, customer_id, user=user))
    )
    customer = session.get_one(User, customer_id, with_for_update=True, populate_existing=True)
    if customer.erased_at is not None:
        return customer
    _check_nothing_open(session, customer)
    _forget_in_mails(session, customer)
    _forget_in_payments(session, customer)
    customer.email, customer.full_name = f"{customer.id}@{_FORGOTTEN}.invalid", _FORGOTTEN
    customer.phone = customer.encrypted_phone = customer.reference = None
    customer.locale, customer.erased_at = Locale.ENGLISH, transaction_time(session)
    return customer


def _check_nothing_open(session: Session, customer: User) -> None:
    still_open = select(Payment.id).where(Payment.user_id == customer.id, Payment.status.in_(OPEN)).limit(1)
    if (payment_id := session.scalar(still_open)) is not None:
        raise Conflict(
            f"Payment {payment_id} of this customer is open: erase them when it has ended.",
            code="customer_has_open_payments",
            subject=payment_id,
        )


def _forget_in_mails(session: Session, customer: User) -> None:
    # By what it tells and not by where it went: the customer may have had another address then.
    mails = update(Email).where(
        Email.payment_id.in_(select(Payment.id).where(Payment.user_id == customer.id)),
        Email.kind != EmailKind.DISPUTE,
    )
    # What has not gone yet goes to nobody: its job finds it withdrawn.
    unsent = mails.where(Email.sent_at.is_(None), Email.withdrawn_at.is_(None)).values(withdrawn_at=func.now())
    for change in (unsent, mails.values(recipient=_FORGOTTEN)):
        session.execute(change.execution_options(synchronize_session=False))


def _forget_in_payments(session: Session, customer: User) -> None:
    for payment in session.scalars(select(Payment).where(Payment.user_id == customer.id)):
        payment.phone = payment.phone_hash = payment.phone_last_four = payment.encrypted_payer = None
