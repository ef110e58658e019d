"""Carry a new payment to its provider: attempt, call, outcome."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar, assert_never

from sqlalchemy.orm import Session

from payproc import jobs
from payproc.application import Application
from payproc.database.models import CallState, Payment, User
from payproc.domain.provenance import Provenance, Source
from payproc.domain.states import OPEN, Fact
from payproc.errors import OutcomeUncertain, ProviderUnavailable, Refusal, RepeatedOutcome, RequestRefused
from payproc.flows import poll
from payproc.flows.provider_requests import start_request
from payproc.providers.answers import StartResult
from payproc.providers.base import FindingStarts, KeepingCustomers, Provider
from payproc.providers.requests import Customer, Operation, StartMode, StoredCall
from payproc.records import outcomes, payments, provider_calls
from payproc.records.orders import is_settled
from payproc.records.provider_calls import Attempt

Made = TypeVar("Made")


def start_payment(app: Application, job: jobs.Claimed) -> None:
    """Run a `payment.start` or a `payment.push` job.

    Raises ProviderUnavailable or OutcomeUncertain, after which the same parameters go out again under the same key,
    and RequestRefused for what an operator must mend. A refusal of the input ends the payment instead. A wallet
    charge in doubt is never sent again: its provider is asked.
    """
    try:
        _start(app, job)
    except RequestRefused as refused:
        if refused.refusal is not Refusal.CUSTOMER_GONE:
            raise
        # Deleted at Stripe since we made them. The refused call is closed and the customer forgotten: once more.
        _start(app, job)


def _start(app: Application, job: jobs.Claimed) -> None:
    with app.database.transaction() as session:
        payment = session.get_one(Payment, job.subject)
        provider = app.provider_of(payment)
    known = _customer_at(app, job, provider) if isinstance(provider, KeepingCustomers) else _NOBODY
    if known is None:
        return
    attempt = _record_start_attempt(app, job, provider, customer_id=known.id)
    if attempt is None:
        return
    match provider.start_mode(payment.dialect):
        case StartMode.IDEMPOTENT:
            # No key is kept for ever: whoever starts by one must be able to find what it made.
            assert isinstance(provider, FindingStarts)
            _start_idempotently(app, job, provider, attempt)
        case StartMode.SINGLE_SHOT:
            _start_single_shot(app, job, provider, attempt)
        case StartMode.FORM_POST:
            # Handed out when the payment was made: there is nothing to send.
            raise AssertionError(f"{job.subject} begins by a form")
        case mode:
            assert_never(mode)


def _start_idempotently(app: Application, job: jobs.Claimed, provider: FindingStarts, attempt: Attempt) -> None:
    # A refused look-up says nothing about the call, so it stands outside.
    found = provider.find_start(attempt.call) if attempt.key_may_be_forgotten else None
    jobs.check_held(job)
    try:
        result = found or _sent(attempt, provider.start, find=provider.find_start)
    except RequestRefused as refused:
        _close_refused_call(app, job, attempt, refused)
        return
    _record_start(app, job, attempt, result)


def _sent(attempt: Attempt, send: Callable[[StoredCall], Made], *, find: Callable[[StoredCall], Made | None]) -> Made:
    """Return what comes of a call under its key; where that stays in doubt, look for what it may have made.

    A provider may keep an error under the key, though it executed the call, and answer with it for as long as it knows
    the key: Stripe does so with a 500 ("Idempotent requests", API reference, November 2026).
    """
    try:
        return send(attempt.call)
    except OutcomeUncertain as uncertain:
        is_kept = isinstance(uncertain, RepeatedOutcome)
        made = None if attempt.fresh and not is_kept else _found(attempt, find)
        if made is None:
            raise
        return made


def _found(attempt: Attempt, find: Callable[[StoredCall], Made | None]) -> Made | None:
    try:
        return find(attempt.call)
    except RequestRefused:
        # It says nothing about the call: closed for that, it would be sent again under another key.
        return None


def _start_single_shot(app: Application, job: jobs.Claimed, provider: Provider, attempt: Attempt) -> None:
    if not attempt.fresh:
        # An earlier run wrote this call down and did not live to tell whether it was sent.
        _leave_start_in_doubt(app, job)
        return
    jobs.check_held(job)
    try:
        result = provider.start(attempt.call)
    except OutcomeUncertain:
        _leave_start_in_doubt(app, job)
    except ProviderUnavailable as unavailable:
        _close_unsent_start(app, job, attempt, unavailable)
    except RequestRefused as refused:
        if refused.refusal is Refusal.CONFIGURATION:
            # Said of this one sending: it was not executed, and once somebody has mended the keys the next may be.
            _close_unsent_start(app, job, attempt, refused)
        else:
            _close_refused_call(app, job, attempt, refused)
    else:
        _record_start(app, job, attempt, result)


def _leave_start_in_doubt(app: Application, job: jobs.Claimed) -> None:
    """Never send it again; ask, from now on by the schedule."""
    with app.database.transaction() as session:
        payment = payments.locked(session, job.subject)
        payment.encrypted_payer = None
        poll.stage_now(session, payment)
        jobs.finish(session, job)


def _close_unsent_start(
    app: Application, job: jobs.Claimed, attempt: Attempt, unavailable: ProviderUnavailable | RequestRefused
) -> None:
    """Close a call that was surely not executed, so that the next try may send it; give up while somebody still waits.

    Raises what it was given, unless it gave up.
    """
    with app.database.transaction() as session:
        provider_calls.record_refusal(session, attempt, f"not executed: {unavailable.message}")
        payment = session.get_one(Payment, job.subject)
        if datetime.now(UTC) - payment.created_at > app.settings.push_patience:
            # A prompt to type the MPIN, long after the customer has gone, is worse than a clear no.
            message = "The wallet could not be reached. Nothing was charged; try again."
            provenance = Provenance(source=Source.API, evidence=attempt.id)
            payments.fail(session, job.subject, provenance=provenance, code=unavailable.code, message=message)
            jobs.finish(session, job)
            return
    raise unavailable


def _record_start_attempt(
    app: Application, job: jobs.Claimed, provider: Provider, *, customer_id: str | None
) -> Attempt | None:
    with app.database.transaction() as session:
        payment = payments.locked(session, job.subject)
        state = provider_calls.state_of(session, Operation.START, payment.id)
        if state is CallState.ANSWERED or payment.status not in OPEN:
            jobs.finish(session, job)
            return None
        if state in (None, CallState.REFUSED) and payment.order_id and is_settled(session, payment.order_id):
            # Another payment of its order was paid while this one waited: there is nothing left to pay.
            provenance = Provenance(source=Source.API, evidence=job.id)
            payments.apply_fact(session, payment.id, Fact.CANCELLED, provenance=provenance)
            jobs.finish(session, job)
            return None
        payer = app.payer_cipher.decrypt(payment.encrypted_payer)
        return provider_calls.record_attempt(
            session,
            Operation.START,
            payment.id,
            job=job,
            payment=payment,
            payer=payer,
            prepare=lambda: provider.prepare_start(
                start_request(payment, session.get_one(User, payment.user_id), payer=payer, customer_id=customer_id)
            ),
        )


def _record_start(app: Application, job: jobs.Claimed, attempt: Attempt, result: StartResult) -> None:
    with app.database.transaction() as session:
        provider_calls.record_answer(session, attempt, ", ".join(result.references.values()) or "accepted")
        provenance = Provenance(source=Source.API, evidence=attempt.id)
        payment = outcomes.record_start(session, job.subject, result, provenance=provenance)
        poll.stage_after_start(app, session, payment, result.outcome)
        jobs.finish(session, job)


def _close_refused_call(app: Application, job: jobs.Claimed, attempt: Attempt, refused: RequestRefused) -> None:
    """Close a refused call; end the payment where its input is at fault, and raise where somebody else must act."""
    with app.database.transaction() as session:
        if refused.settles_call(sent_before=not attempt.fresh):
            provider_calls.record_refusal(session, attempt, refused.message)
        if refused.refusal is Refusal.CUSTOMER_GONE:
            _forget_customer(session, job.subject, attempt)
        if refused.refusal is Refusal.INPUT:
            provenance = Provenance(source=Source.API, evidence=attempt.id)
            payments.fail(session, job.subject, provenance=provenance, code=refused.code, message=refused.message)
            jobs.finish(session, job)
            return
    raise refused


def _forget_customer(session: Session, payment_id: str, attempt: Attempt) -> None:
    user_id = session.get_one(Payment, payment_id).user_id
    user = session.get_one(User, user_id, with_for_update=True, populate_existing=True)
    # Another payment may have made the new customer already.
    if user.stripe_customer_id == attempt.call.parameters.get("customer"):
        user.stripe_customer_id = None


@dataclass(frozen=True)
class _Known:
    """By which id a provider knows who pays; None where it needs to know nobody."""

    id: str | None


_NOBODY = _Known(None)


def _customer_at(app: Application, job: jobs.Claimed, provider: KeepingCustomers) -> _Known | None:
    """Return the customer at the provider, made now if need be; None when the provider refuses this customer."""
    with app.database.transaction() as session:
        payment = session.get_one(Payment, job.subject)
        # Locked: between a look at the user and one at the last call, another worker could finish both.
        user = session.get_one(User, payment.user_id, with_for_update=True)
        if user.address is None:
            # A shop is no customer: all its buyers would be one, each offered the cards of the others.
            return _NOBODY
        if user.stripe_customer_id:
            return _Known(user.stripe_customer_id)
        customer = Customer(user_id=user.id, email=user.address, name=user.full_name)
        attempt = provider_calls.record_attempt(
            session,
            Operation.CREATE_CUSTOMER,
            user.id,
            job=job,
            payment=payment,
            prepare=lambda: provider.prepare_customer(customer),
        )
    created = provider.find_customer(attempt.call) if attempt.key_may_be_forgotten else None
    jobs.check_held(job)
    try:
        customer_id = created or _sent(attempt, provider.create_customer, find=provider.find_customer)
    except RequestRefused as refused:
        _close_refused_call(app, job, attempt, refused)
        return None
    with app.database.transaction() as session:
        provider_calls.record_answer(session, attempt, customer_id)
        user = session.get_one(User, customer.user_id, with_for_update=True)
        user.stripe_customer_id = user.stripe_customer_id or customer_id
        return _Known(user.stripe_customer_id)
