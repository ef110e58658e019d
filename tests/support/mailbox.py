"""What mails tell of, made without a gateway, and the work that sends them."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

from sqlalchemy import select, text, update

from payproc import jobs
from payproc.application import Application, Letter
from payproc.database.models import (
    Dispute,
    Email,
    EmailKind,
    EndpointState,
    FindingKind,
    Loop,
    Payment,
    ReconciliationRun,
    Refund,
    ReviewKind,
    RunState,
    User,
    WebhookEndpoint,
)
from payproc.domain.money import Money
from payproc.domain.provenance import Provenance, Source
from payproc.domain.requests.order import OrderRequest
from payproc.domain.requests.payment import PaymentRequest
from payproc.domain.settlement import RefundOutcome, RefundVerdict, RemoteDispute, RemoteRefund
from payproc.domain.states import DisputeStatus, Fact, RefundFact, RefundStatus
from payproc.flows import checkout
from payproc.outgoing.mail import compose, outbox
from payproc.providers.stripe import STRIPE
from payproc.reconcile import findings
from payproc.records import disputes, payments, refunds, remote_refunds
from payproc.records.orders import create_order
from payproc.records.reviews import open_review
from tasks import runner

TOLD = Provenance(source=Source.NOTICE, evidence="ntc_of_a_test")
NOON = datetime(2026, 8, 24, 12, tzinfo=UTC)
OPERATORS = "operators@shop.pk"
PERIOD = "2100-01-01T09:00:00+00:00"
_NO_JOBS = "UPDATE jobs SET state = 'done' WHERE kind = 'payment.start'"


@dataclass(frozen=True)
class Outgoing:
    """A way mail leaves: each is handed to `post`, whatever connection it would have gone by."""

    post: Callable[[Letter], None]

    @contextmanager
    def connection(self) -> Iterator["Outgoing"]:
        yield self


@dataclass(frozen=True, kw_only=True)
class Mailbox:
    """A merchant's payments and refunds in every state, and what is written about them."""

    app: Application
    customer: User

    def payment(self, *facts: Fact, order: str | None = None, description: str = "Two mangoes") -> Payment:
        """A payment of 1,250.50 PKR about which `facts` were learned, each in a transaction of its own."""
        money = Money.of(125050, "pkr")
        with self.app.database.transaction() as session:
            bought = create_order(session, self.customer, OrderRequest(reference=order, money=money)) if order else None
        request = PaymentRequest(
            money=money,
            description=description,
            success_url="https://example.com/thanks",
            cancel_url="https://example.com/basket",
            phone="03001234567",
            cnic="345678",
            order_id=bought.id if bought else None,
        )
        payment = checkout.take_payment(self.app, request, user=self.customer, method=STRIPE)
        with self.app.database.transaction() as session:
            session.execute(text(_NO_JOBS))
            if not facts:
                jobs.stage(session, jobs.Kind.INQUIRE_PAYMENT, payment.id, method=STRIPE, due_at=_FAR)
        for fact in facts:
            self.learn(payment, fact)
        return payment

    def learn(self, payment: Payment, fact: Fact) -> None:
        with self.app.database.transaction() as session:
            payments.apply_fact(
                session, payment.id, fact, provenance=Provenance(source=Source.OPERATOR, evidence="rev_1")
            )

    def refund(self, payment: Payment, *, minor: int = 50025, status: RefundStatus = RefundStatus.SUCCEEDED) -> Refund:
        """A refund that was made in the provider's dashboard and stands as `status`."""
        remote = RemoteRefund(
            provider_id=f"re_{secrets.token_hex(8)}",
            references={},
            money=Money.of(minor, payment.currency),
            outcome=RefundOutcome(verdict=RefundVerdict.PENDING),
        )
        with self.app.database.transaction() as session:
            refund = remote_refunds.record_remote(session, payment, remote, provenance=TOLD)
            assert refund is not None
        self.settle(payment, refund, status)
        return refund

    def settle(self, payment: Payment, refund: Refund, status: RefundStatus) -> None:
        assert refund.payment_id == payment.id
        with self.app.database.transaction() as session:
            refunds.apply_fact(session, refund.id, RefundFact(status.value), provenance=TOLD)

    def dispute(self, payment: Payment, *told: DisputeStatus, operator_mail: str | None = OPERATORS) -> Dispute:
        """A dispute of which all of `told` was said, in this order."""
        found: list[Dispute] = []
        for second, status in enumerate(told):
            remote = RemoteDispute(
                provider_id=f"du_{payment.reference}",
                references={},
                money=payment.money,
                status=status,
                reported_at=NOON + timedelta(seconds=second),
                reason="product_not_received",
                evidence_due_at=datetime(2026, 9, 1, 18, 59, tzinfo=UTC),
            )
            with self.app.database.transaction() as session:
                found.append(
                    disputes.record_remote(session, payment, remote, provenance=TOLD, operator_mail=operator_mail)
                )
        return found[-1]

    def ask(self, subject: str, *, kind: ReviewKind = ReviewKind.FINDING, detail: str = "look at it") -> None:
        with self.app.database.transaction() as session:
            open_review(session, kind, subject, detail=detail)

    def digest(self, period: str = PERIOD) -> None:
        with self.app.database.transaction() as session:
            outbox.stage_digest(session, period, operator_mail=OPERATORS)

    def finding(self) -> None:
        """Word of a difference that cannot wait."""
        run = ReconciliationRun(
            loop=Loop.MONEY,
            provider=STRIPE,
            period="a day",
            state=RunState.RUNNING,
            window_begin=NOON - timedelta(days=1),
            window_end=NOON,
            counts={},
        )
        with self.app.database.transaction() as session:
            session.add(run)
            session.flush()
            detail = "Payout po_1 of 97.10 USD did not reach the bank."
            kind = FindingKind.PAYOUT_FAILED
            findings.tell(session, run, kind, None, theirs="po_1", at=NOON, detail=detail)
            findings.stage_mails(session, run, operator_mail=OPERATORS)

    def one_of_each(
        self,
        *,
        order: str = "BASKET-7",
        description: str = "Two crates of Chaunsa mangoes آم",
        detail: str = "Nobody knows how it ended.",
    ) -> None:
        """Stage a mail of every kind, about everything a mail can name."""
        self.payment(Fact.PAID, order=order, description=description)
        self.payment(Fact.DECLINED)
        refunded = self.payment(Fact.PAID)
        self.refund(refunded)
        self.refund(refunded, status=RefundStatus.FAILED)
        self.dispute(self.payment(Fact.PAID), DisputeStatus.NEEDS_RESPONSE)
        for number in range(3):
            self.ask(f"a{number}", detail=f"Charge ch_{'7' * 30}{number} of 19.99 USD is in no payment of ours.")
        self.ask("b", kind=ReviewKind.UNSETTLED, detail=detail)
        self.digest()
        self.finding()
        self.disabled_endpoint()

    def disabled_endpoint(self) -> None:
        """Word of a webhook's endpoint that has taken nothing for days."""
        endpoint = WebhookEndpoint(
            url="https://shop.example.com/hooks/payproc",
            encrypted_secret="of nobody",
            state=EndpointState.DISABLED,
            disabled_reason="nothing was taken for five days",
        )
        with self.app.database.transaction() as session:
            session.add(endpoint)
            session.flush()
            outbox.stage_endpoint_disabled(session, endpoint.id, recipient=OPERATORS)

    def work(self) -> None:
        """Do all work that is due, as relay and workers would."""
        while dispatched := self._due():
            runner.run(self.app, [(job.job_id, job.token) for job in dispatched])

    def _due(self) -> list[jobs.Dispatched]:
        return jobs.dispatch(self.app.database, limit=100, lease=timedelta(seconds=20))

    def emails(self, *kinds: EmailKind) -> list[Email]:
        """Every mail, or those of some kinds, in the order in which they were staged."""
        with self.app.database.transaction() as session:
            found = session.scalars(select(Email).order_by(Email.created_at, Email.id))
            return [email for email in found if not kinds or email.kind in kinds]

    def read(self, kind: EmailKind) -> EmailMessage:
        """Compose the first mail of a kind and read it as a mail reader would: from its bytes."""
        return parsed(self.composed(kind))

    def composed(self, kind: EmailKind) -> Letter:
        email = self.emails(kind)[0]
        with self.app.database.transaction() as session:
            return compose.compose(session, email, settings=self.app.settings)

    def payment_of(self, kind: EmailKind) -> Payment:
        """Return the payment that the first mail of a kind is about."""
        with self.app.database.transaction() as session:
            return session.get_one(Payment, self.emails(kind)[0].payment_id)

    def call_the_customer(self, **changes: object) -> None:
        with self.app.database.transaction() as session:
            session.execute(update(User).where(User.id == self.customer.id).values(**changes))


_FAR = datetime(2100, 1, 1, tzinfo=UTC)


def parsed(letter: Letter) -> EmailMessage:
    """Read a mail from what goes over the wire."""
    found = message_from_bytes(letter.content, policy=default)
    assert isinstance(found, EmailMessage)
    return found


def part(message: EmailMessage, subtype: str) -> str:
    """Return the text of one part of a mail: plain or html."""
    body = message.get_body((subtype,))
    assert isinstance(body, EmailMessage)
    content = body.get_content()
    assert isinstance(content, str)
    return content
