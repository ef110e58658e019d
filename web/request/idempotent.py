"""A request is carried out once per Idempotency-Key, and answered at once or after a wait.

A view claims the key, does the work and remembers the answer in one transaction. Where the client waits, a second one
reads what came of it: its answer is then the one that is remembered, and the first is the fallback answer.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, Self, TypeVar, assert_never

import structlog
from flask import Response, request
from sqlalchemy.orm import Session

from payproc.database.engine import PASSING_TROUBLE
from payproc.database.models import Order, Payment, Refund
from payproc.domain.ids import Prefix, derived_id
from payproc.domain.payment_methods import PaymentMethod
from payproc.domain.requests.payment import PaymentRequest
from payproc.errors import Conflict, PayprocError
from payproc.flows.checkout import draft_payment, has_begun, take_drafted, take_payment
from payproc.records import idempotency
from payproc.records.idempotency import Answer, Fresh, NewKey, Replay, Resumed
from web.auth import application, current_user
from web.json import json_answer
from web.request import waiting
from web.request.log import about
from web.schemas.headers import StartHeader

log = structlog.get_logger()

Row = TypeVar("Row", Payment, Refund, Order)


@dataclass(frozen=True, kw_only=True)
class Claim(Generic[Row]):
    """What came of claiming a key: an answer to give again, what a request made that then died, or nothing yet."""

    replay: Answer | None = None
    made: Row | None = None
    # By a request that died before its answer.
    resumed: bool = False
    # Written down with what was made.
    answer: Answer | None = None


@dataclass(frozen=True, kw_only=True)
class IdempotentRequest:
    """The present request: its Idempotency-Key, if it has one, and how many seconds its client waits."""

    key: str | None
    wait: int

    @classmethod
    def of(cls, header: StartHeader) -> Self:
        """Read the headers.

        Raises InvalidRequest for a key that cannot be one.
        """
        if header.idempotency_key is not None:
            idempotency.check_key(header.idempotency_key)
        return cls(key=header.idempotency_key, wait=waiting.seconds_of(header.prefer))

    def named(self, kind: Prefix) -> str | None:
        """Return the id that what this request makes has, whenever it is made under its key; None without a key."""
        if self.key is None:
            return None
        return derived_id(kind, current_user().id, self.key, _fingerprint().hex())

    def claim(self, session: Session, kind: type[Row]) -> Claim[Row]:
        """Claim the key, in the transaction of what the request makes; without a key nothing was made before.

        Raises IdempotencyKeyReused for another request, Conflict while the first is still being answered.
        """
        if self.key is None:
            return Claim()
        claimed = idempotency.claim(session, current_user(), self.key, fingerprint=_fingerprint())
        return Claim() if isinstance(claimed, Fresh) else _claim_of(session, kind, claimed)

    def take(
        self, wanted: PaymentRequest, method: PaymentMethod, *, answered: Callable[[Payment], Answer]
    ) -> Claim[Payment]:
        """Take a payment and the key in one statement; or claim what came of the request that took the key first.

        Raises what `claim` and `take_payment` do. Who asks for the same again is not told what is wrong with it by now.
        """
        if self.key is None:
            return Claim(made=take_payment(application(), wanted, user=current_user(), method=method))
        try:
            claim = self._take(self.key, wanted, method, answered=answered)
        except PayprocError:
            claim = self._earlier(self.key)
            if claim is None:
                raise
            return claim
        claim = claim or self._earlier(self.key)
        if claim is None:
            # It was pruned just now: nobody repeats a request of days ago at this very moment, but who does may again.
            raise Conflict("The Idempotency-Key was forgotten just now.", code="idempotency_key_in_use")
        return claim

    def _take(
        self, key: str, wanted: PaymentRequest, method: PaymentMethod, *, answered: Callable[[Payment], Answer]
    ) -> Claim[Payment] | None:
        draft = draft_payment(application(), wanted, user=current_user(), method=method)
        answer = None if self.waits_for(draft.payment) else answered(draft.payment)
        new = NewKey(user_id=current_user().id, key=key, fingerprint=_fingerprint(), answer=answer)
        taken = take_drafted(application(), draft, key=new)
        return None if taken is None else Claim(made=taken, answer=answer)

    def _earlier(self, key: str) -> Claim[Payment] | None:
        with application().database.transaction() as session:
            known = idempotency.known(session, current_user(), key, fingerprint=_fingerprint())
            return None if known is None else _claim_of(session, Payment, known)

    def waits_for(self, payment: Payment) -> bool:
        """Tell whether the client wants to hear more of the payment than that it was taken."""
        return self.wait > 0 and not has_begun(payment)

    def answer(self, claim: Claim[Payment], *, answered: Callable[[Payment], Answer]) -> Answer:
        """Return the answer to a payment that was taken, at once or after the wait, and remember it where it is not."""
        payment = claim.made
        assert payment is not None
        about(payment.id)
        if claim.answer is not None:
            return claim.answer
        answer = answered(payment)
        if self.waits_for(payment):
            with fallback_answer(), self.waited(Payment, payment.id, until=has_begun) as (session, payment):
                answer = answered(payment)
                self.remember(session, payment.id, answer)
        elif claim.resumed:
            with fallback_answer(), application().database.transaction() as session:
                self.remember(session, payment.id, answer)
        return answer

    def remember(self, session: Session, subject: str, answer: Answer | None) -> None:
        """Tie the key to what the request made, and to its answer unless another one is still to come."""
        about(subject)
        if self.key is not None:
            idempotency.remember(session, current_user(), self.key, subject=subject, answer=answer)

    @contextmanager
    def waited(self, kind: type[Row], subject: str, *, until: Callable[[Row], bool]) -> Iterator[tuple[Session, Row]]:
        """Wait until the row is as wanted or the client's patience is over; then read it, in a transaction."""

        def is_so() -> bool:
            with application().database.transaction() as session:
                return until(session.get_one(kind, subject))

        waiting.wait_until(is_so, seconds=self.wait)
        with application().database.transaction() as session:
            yield session, session.get_one(kind, subject)


def _fingerprint() -> bytes:
    where = request.full_path if request.query_string else request.path
    return idempotency.fingerprint(request.method, where, request.get_json())


def _claim_of(session: Session, kind: type[Row], claimed: Resumed | Replay) -> Claim[Row]:
    match claimed:
        case Resumed():
            return Claim(made=session.get_one(kind, claimed.subject), resumed=True)
        case Replay():
            about(claimed.subject)
            return Claim(replay=claimed.answer)
        case _:
            assert_never(claimed)


@contextmanager
def fallback_answer() -> Iterator[None]:
    """Let the answer in hand stand where the database goes away.

    What was asked for is committed: "not stored" would be a lie that invites a second one.
    """
    try:
        yield
    except PASSING_TROUBLE as trouble:
        log.warning("answered from memory", error=type(trouble).__name__)


def respond(answer: Answer) -> Response:
    """Send an answer."""
    return json_answer(answer.body, status=answer.status, location=answer.location)


def respond_again(answer: Answer) -> Response:
    """Send an answer that was given before, and say so."""
    response = respond(answer)
    response.headers["Idempotent-Replayed"] = "true"
    return response
