from dataclasses import replace
from email.message import EmailMessage

import pytest
from sqlalchemy import select, text

from payproc.database.models import EmailKind, Job, JobState, Payment, ReviewKind
from payproc.domain.states import DisputeStatus, Fact, RefundStatus
from payproc.jobs import Kind
from payproc.operations import timeline
from tests.support.mailbox import Mailbox


def subjects(posted: list[EmailMessage]) -> list[str]:
    return [str(message["Subject"]).partition(":")[0] for message in posted]


def open_jobs(mailbox: Mailbox) -> list[str]:
    with mailbox.app.database.transaction() as session:
        return list(session.scalars(select(Job.id).where(Job.kind == Kind.SEND_MAIL, Job.state != JobState.DONE)))


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

    def slow(_: EmailMessage) -> None:
        with mailbox.app.database.transaction() as session:
            session.execute(text("UPDATE jobs SET lease_token = gen_random_uuid() WHERE kind = 'mail.send'"))

    replace(mailbox, app=replace(mailbox.app, post=slow)).work()
    assert [email.sent_at for email in mailbox.emails()] == [None]
    assert len(open_jobs(mailbox)) == 1


@pytest.mark.parametrize(
    "address", ["", "evil <x@example.com>", "a,b@example.com", "x@example.com\nBcc: y@example.com"]
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
