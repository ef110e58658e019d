"""Hints: notices that anybody could have sent. They move nothing; at most they bring our own question forward."""

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from payproc import jobs
from payproc.application import Application
from payproc.database.held import find_named
from payproc.database.models import Notice, NoticeState, Payment
from payproc.domain.payment_methods import PaymentMethod
from payproc.flows.hints_turn import HINTED, HINTS_EVERY, hints_turn
from payproc.flows.provider_requests import NAMED
from payproc.providers.notices import Hint


def take_hint(app: Application, method: PaymentMethod, hint: Hint, *, body: bytes, received_at: datetime) -> None:
    """Have the provider asked about the payment that a hint names, soon.

    A name that is not ours costs a look into an index: no row, no job and no call. Whoever sent the hint is
    told the same in every case.
    """
    with app.database.transaction() as session:
        payment = find_named(session, (hint.reference, *hint.also), hint.references, method=method)
        wait = None if payment is None else hints_turn(session, payment)
        if payment is None or wait is None:
            return
        _keep_hint(session, payment, hint, body=body, received_at=received_at)
        # Even where its row stands for it already: the question before this hint may have come too early.
        due_at = session.scalars(select(func.now())).one() + wait
        named = next(iter(hint.references.values()), None)
        payload = {HINTED: True} | ({} if named is None else {NAMED: named})
        jobs.stage(session, jobs.Kind.INQUIRE_PAYMENT, payment.id, method=method, due_at=due_at, payload=payload)


def _keep_hint(session: Session, payment: Payment, hint: Hint, *, body: bytes, received_at: datetime) -> None:
    # One row a payment and interval: what a flood leaves behind is bounded by time and not by its own size.
    interval = int(received_at.timestamp() // HINTS_EVERY.total_seconds())
    session.execute(
        insert(Notice)
        .values(
            provider=payment.payment_method,
            key=f"hint:{payment.reference}:{interval}",
            kind=hint.kind,
            body=body,
            headers={},
            state=NoticeState.APPLIED,
            reason="unsigned: the provider is asked",
            payment_id=payment.id,
            settled_at=func.now(),
        )
        .on_conflict_do_nothing(index_elements=[Notice.provider, Notice.key])
    )
