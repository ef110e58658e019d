from collections.abc import Iterator
from dataclasses import replace
from email.message import EmailMessage

import pytest
import requests
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from payproc.application import Letter
from payproc.database.models import Email, EmailKind, Job, JobState, Payment, Review, ReviewKind
from payproc.domain.provenance import Provenance, Source
from payproc.domain.states import DisputeStatus, Fact, RefundStatus
from payproc.jobs import Kind
from payproc.operations import timeline
from payproc.outgoing.mail import relevance
from payproc.outgoing.mail.smtp import Mailer
from payproc.records import payments
from sandbox.gateway import RunningGateway
from tests.support.mailbox import Mailbox, Outgoing


def subjects(posted: list[EmailMessage]) -> list[str]:
    return [str(message["Subject"]).partition(":")[0] for message in posted]


def open_jobs(mailbox: Mailbox) -> list[str]:
    with mailbox.app.database.transaction() as session:
        return list(session.scalars(select(Job.id).where(Job.kind == Kind.SEND_MAIL, Job.state != JobState.DONE)))


def undo_sale(mailbox: Mailbox, payment: Payment) -> None:
    provenance = Provenance(source=Source.OPERATOR, evidence="drf_1")
    with mailbox.app.database.transaction() as session:
        payments.undo_sale(session, payment.id, provenance=provenance, reason="nothing was paid")


def test_every_kind_is_sent_and_sent_once(mailbox: Mailbox, posted: list[EmailMessage]) -> None:
    mailbox.one_of_each()
    mailbox.work()
    assert {email.kind for email in mailbox.emails() if email.sent_at} == set(EmailKind)
    assert len(posted) == len(mailbox.emails())
    assert open_jobs(mailbox) == []

    with mailbox.app.database.transaction() as session:
        session.execute(text("UPDATE jobs SET state = 'ready' WHERE kind = 'mail.send'"))
    mailbox.work()
    assert len(posted) == len(mailbox.emails())


def test_word_of_a_failure_is_withdrawn_once_the_payment_is_paid_after_all(
    mailbox: Mailbox, posted: list[EmailMessage]
) -> None:
    payment = mailbox.payment(Fact.DECLINED, Fact.PAID)
    mailbox.work()

    assert subjects(posted) == ["Receipt"]
    [failure] = mailbox.emails(EmailKind.FAILURE)
    assert failure.withdrawn_at is not None
    assert failure.sent_at is None
    assert open_jobs(mailbox) == []
    with mailbox.app.database.transaction() as session:
        told = timeline.timeline(session, session.get_one(Payment, payment.id))
    assert "failure not sent: it was no longer true" in [entry.sentence for entry in told]


def test_a_receipt_that_was_withdrawn_goes_out_once_the_payment_is_paid_after_all(
    mailbox: Mailbox, posted: list[EmailMessage]
) -> None:
    payment = mailbox.payment(Fact.PAID)
    undo_sale(mailbox, payment)
    mailbox.work()
    assert subjects(posted) == ["Your payment did not go through"]
    mailbox.learn(payment, Fact.PAID)
    mailbox.work()
    assert subjects(posted) == ["Your payment did not go through", "Receipt"]
    assert open_jobs(mailbox) == []


def test_a_payment_that_completes_twice_within_one_transaction_has_one_receipt(
    mailbox: Mailbox, posted: list[EmailMessage]
) -> None:
    payment = mailbox.payment()
    provenance = Provenance(source=Source.OPERATOR, evidence="drf_1")
    with mailbox.app.database.transaction() as session:
        for _ in range(2):
            payments.apply_fact(session, payment.id, Fact.PAID, provenance=provenance)
            payments.undo_sale(session, payment.id, provenance=provenance, reason="nothing was paid")
        payments.apply_fact(session, payment.id, Fact.PAID, provenance=provenance)
    mailbox.work()
    assert subjects(posted) == ["Receipt"]
    assert open_jobs(mailbox) == []


def test_word_of_a_failure_that_was_withdrawn_goes_out_once_the_sale_is_undone(
    mailbox: Mailbox, posted: list[EmailMessage]
) -> None:
    payment = mailbox.payment(Fact.DECLINED, Fact.PAID)
    mailbox.work()
    undo_sale(mailbox, payment)
    mailbox.work()
    assert subjects(posted) == ["Receipt", "Your payment did not go through"]


def test_a_receipt_is_not_withdrawn_where_the_payment_is_paid_that_very_moment(
    mailbox: Mailbox, posted: list[EmailMessage], monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = mailbox.payment(Fact.PAID)
    undo_sale(mailbox, payment)
    look = relevance.still_holds
    looks: list[bool] = []

    def paid_meanwhile(session: Session, email: Email) -> bool:
        held = look(session, email)
        if email.kind is EmailKind.RECEIPT and not looks:
            looks.append(held)
            mailbox.learn(payment, Fact.PAID)
        return held

    monkeypatch.setattr(relevance, "still_holds", paid_meanwhile)
    mailbox.work()
    assert looks == [False]
    assert subjects(posted).count("Receipt") == 1


def test_word_of_a_failure_that_was_sent_is_followed_by_the_receipt(
    mailbox: Mailbox, posted: list[EmailMessage]
) -> None:
    payment = mailbox.payment(Fact.DECLINED)
    mailbox.work()
    mailbox.learn(payment, Fact.PAID)
    mailbox.work()
    assert subjects(posted) == ["Your payment did not go through", "Receipt"]


def test_word_of_a_refund_is_withdrawn_once_the_refund_has_failed(mailbox: Mailbox, posted: list[EmailMessage]) -> None:
    payment = mailbox.payment(Fact.PAID)
    refund = mailbox.refund(payment)
    mailbox.settle(payment, refund, RefundStatus.FAILED)
    mailbox.work()
    assert subjects(posted) == ["Receipt", "Your refund did not reach you"]
    assert mailbox.emails(EmailKind.REFUND)[0].withdrawn_at is not None


def test_a_receipt_is_sent_although_the_money_went_back_meanwhile(mailbox: Mailbox, posted: list[EmailMessage]) -> None:
    mailbox.refund(mailbox.payment(Fact.PAID), minor=125050)
    mailbox.work()
    assert sorted(subjects(posted)) == ["Receipt", "Refund"]


def test_each_change_of_a_dispute_is_told_even_when_the_next_one_is_known(
    mailbox: Mailbox, posted: list[EmailMessage]
) -> None:
    mailbox.dispute(
        mailbox.payment(Fact.PAID), DisputeStatus.NEEDS_RESPONSE, DisputeStatus.UNDER_REVIEW, DisputeStatus.WON
    )
    mailbox.work()
    assert subjects(posted) == [
        "Receipt",
        "Dispute needs response",
        "Dispute under review",
        "Dispute won",
    ]


def test_a_digest_whose_questions_were_answered_is_withdrawn(mailbox: Mailbox, posted: list[EmailMessage]) -> None:
    mailbox.ask("a")
    mailbox.digest()
    with mailbox.app.database.transaction() as session:
        session.execute(text("UPDATE reviews SET resolved_at = now(), resolution = 'looked'"))
    mailbox.work()
    assert posted == []
    assert mailbox.emails()[0].withdrawn_at is not None


def test_a_run_that_lost_its_lease_while_the_mail_server_thought_writes_nothing(mailbox: Mailbox) -> None:
    mailbox.payment(Fact.PAID)

    def slow(_: Letter) -> None:
        with mailbox.app.database.transaction() as session:
            session.execute(text("UPDATE jobs SET lease_token = gen_random_uuid() WHERE kind = 'mail.send'"))

    replace(mailbox, app=replace(mailbox.app, mailer=Outgoing(slow))).work()
    assert [email.sent_at for email in mailbox.emails()] == [None]
    assert len(open_jobs(mailbox)) == 1


@pytest.mark.parametrize(
    "address",
    [
        *("", "amina", "@example.com", "evil <x@example.com>", "a,b@example.com", "x@example.com\nBcc: y@example.com"),
        *("=?utf-8?q?x=0D=0ABcc:_y=40example.com=0D=0A?=@example.com", "x@=?utf-8?q?y=2C?=", "x@y@example.com"),
    ],
)
def test_an_address_that_is_none_is_put_before_a_person(
    mailbox: Mailbox, posted: list[EmailMessage], address: str
) -> None:
    mailbox.call_the_customer(email=address)
    mailbox.payment(Fact.PAID)
    mailbox.work()
    assert posted == []
    with mailbox.app.database.transaction() as session:
        assert list(session.scalars(text("SELECT kind FROM reviews"))) == [ReviewKind.JOB_DEAD]


# --- A mail server's trouble with us ----------------------------------------------------------------------------------


@pytest.fixture
def posting(mailbox: Mailbox, gateway: RunningGateway) -> Iterator[Mailbox]:
    """The merchant's mail goes to the sandbox's mail server."""
    requests.post(f"{gateway.base_url}/_sandbox/reset", timeout=5)
    yield replace(mailbox, app=replace(mailbox.app, mailer=Mailer(f"smtp://127.0.0.1:{gateway.smtp_port}")))
    requests.delete(f"{gateway.base_url}/_sandbox/faults", timeout=5)


def break_mail(gateway: RunningGateway, fault: str) -> None:
    order = {"operation": "smtp", "fault": fault, "times": None}
    assert requests.post(f"{gateway.base_url}/_sandbox/faults", json=order, timeout=5).ok


def mend_mail(gateway: RunningGateway) -> None:
    requests.delete(f"{gateway.base_url}/_sandbox/faults", timeout=5)


def later(mailbox: Mailbox, interval: str = "0") -> None:
    """Let all waiting be over, and `interval` have passed since the mails were staged."""
    with mailbox.app.database.transaction() as session:
        passed = "UPDATE jobs SET due_at = now(), created_at = created_at - CAST(:by AS interval) WHERE state = 'ready'"
        session.execute(text(passed), {"by": interval})
    mailbox.work()


def reviews(mailbox: Mailbox) -> list[tuple[ReviewKind, bool]]:
    """Every review's kind, and whether it is still open."""
    with mailbox.app.database.transaction() as session:
        found = session.scalars(select(Review).order_by(Review.opened_at, Review.id))
        return [(review.kind, review.resolved_at is None) for review in found]


@pytest.mark.parametrize("fault", ["login", "sender", "quota"])
def test_what_the_server_has_against_us_holds_all_mail_up_with_one_review(
    posting: Mailbox, gateway: RunningGateway, fault: str
) -> None:
    break_mail(gateway, fault)
    for _ in range(3):
        posting.payment(Fact.PAID)
    posting.work()
    later(posting, "4 days")
    assert reviews(posting) == [(ReviewKind.MAIL_TROUBLE, True)]
    assert len(open_jobs(posting)) == 3
    assert all(email.sent_at is None for email in posting.emails())

    mend_mail(gateway)
    later(posting)
    assert reviews(posting) == [(ReviewKind.MAIL_TROUBLE, False)]
    assert open_jobs(posting) == []
    assert all(email.sent_at is not None for email in posting.emails())


def test_a_server_that_is_down_is_put_before_a_person_once_it_has_been_for_a_while(
    posting: Mailbox, gateway: RunningGateway
) -> None:
    break_mail(gateway, "down")
    for _ in range(2):
        posting.payment(Fact.PAID)
    posting.work()
    assert reviews(posting) == []
    later(posting, "4 days")
    assert reviews(posting) == [(ReviewKind.MAIL_TROUBLE, True)]
    assert len(open_jobs(posting)) == 2


def test_a_mailbox_that_is_none_buries_its_own_mail_alone(posting: Mailbox, gateway: RunningGateway) -> None:
    break_mail(gateway, "mailbox")
    posting.payment(Fact.PAID)
    posting.work()
    mend_mail(gateway)
    posting.payment(Fact.PAID)
    posting.work()
    assert reviews(posting) == [(ReviewKind.JOB_DEAD, True)]
    assert len([email for email in posting.emails() if email.sent_at]) == 1


def test_a_mail_in_trouble_while_all_others_go_is_given_up_after_its_patience(
    posting: Mailbox, gateway: RunningGateway
) -> None:
    posting.payment(Fact.PAID)
    posting.work()
    break_mail(gateway, "quota")
    posting.payment(Fact.PAID)
    posting.work()
    assert reviews(posting) == [(ReviewKind.MAIL_TROUBLE, True)]
    later(posting, "4 days")
    assert (ReviewKind.JOB_DEAD, True) in reviews(posting)
    assert len(open_jobs(posting)) == 1  # buried
