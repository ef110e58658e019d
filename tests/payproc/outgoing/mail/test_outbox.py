from itertools import permutations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from payproc.database.models import EmailKind, Job, Payment
from payproc.domain.states import DisputeStatus, Fact, RefundStatus
from payproc.outgoing.mail import outbox
from tests.support.mailbox import Mailbox


def told(mailbox: Mailbox) -> list[tuple[str, str]]:
    return [(email.kind.value, email.about) for email in mailbox.emails()]


def test_a_payment_that_is_paid_owes_a_receipt_and_nothing_else(mailbox: Mailbox) -> None:
    mailbox.payment(Fact.PAID, Fact.PAID)
    assert told(mailbox) == [("receipt", "")]


def test_a_payment_that_failed_owes_word_of_it(mailbox: Mailbox) -> None:
    mailbox.payment(Fact.DECLINED, Fact.DECLINED)
    [email] = mailbox.emails()
    assert (email.kind, email.about, email.recipient) == (EmailKind.FAILURE, "", "amina@example.com")


@pytest.mark.parametrize("fact", [Fact.EXPIRED, Fact.CANCELLED])
def test_a_payment_that_expired_or_was_called_off_owes_nothing(mailbox: Mailbox, fact: Fact) -> None:
    mailbox.payment(fact)
    assert mailbox.emails() == []


def test_a_payment_that_completes_twice_owes_one_receipt(mailbox: Mailbox) -> None:
    mailbox.payment(Fact.PAID, Fact.REFUNDED, Fact.REFUND_UNDONE)
    assert told(mailbox) == [("receipt", "")]


def test_three_refunds_of_one_payment_are_three_pieces_of_news(mailbox: Mailbox) -> None:
    payment = mailbox.payment(Fact.PAID)
    refunds = [mailbox.refund(payment, minor=100) for _ in range(3)]
    with mailbox.app.database.transaction() as session:
        for refund in refunds:
            outbox.stage_refund(session, refund, payment)
    assert told(mailbox) == [("receipt", ""), *(("refund", refund.id) for refund in refunds)]


def test_operators_are_told_of_each_change_of_a_dispute_once(mailbox: Mailbox) -> None:
    lost, asked = DisputeStatus.LOST, DisputeStatus.NEEDS_RESPONSE
    dispute = mailbox.dispute(mailbox.payment(Fact.PAID), asked, lost, asked, lost)
    assert {about for kind, about in told(mailbox) if kind == "dispute"} == {
        f"{dispute.id}:{asked}",
        f"{dispute.id}:lost",
    }
    assert {email.recipient for email in mailbox.emails(EmailKind.DISPUTE)} == {"operators@shop.pk"}


@pytest.mark.parametrize("nobody", [None, ""])
def test_without_an_operators_address_a_dispute_owes_nothing(mailbox: Mailbox, nobody: str | None) -> None:
    mailbox.dispute(mailbox.payment(Fact.PAID), DisputeStatus.LOST, operator_mail=nobody)
    assert told(mailbox) == [("receipt", "")]


def test_two_digests_of_one_period_are_one(mailbox: Mailbox) -> None:
    mailbox.ask("a")
    mailbox.digest()
    mailbox.digest()
    assert told(mailbox) == [("digest", "2100-01-01T09:00:00+00:00")]


def test_every_mail_that_is_owed_has_one_job(mailbox: Mailbox) -> None:
    mailbox.one_of_each()
    with mailbox.app.database.transaction() as session:
        subjects = session.query(Job.subject).filter(Job.kind == "mail.send")
        assert sorted(subject for (subject,) in subjects) == sorted(email.id for email in mailbox.emails())


@pytest.mark.parametrize("order", [*permutations([Fact.PAID, Fact.DECLINED, Fact.PROCESSING])])
def test_what_is_owed_in_the_end_does_not_depend_on_the_order_of_the_news(
    mailbox: Mailbox, order: tuple[Fact, ...]
) -> None:
    mailbox.payment(*order)
    mailbox.work()
    assert [email.kind for email in mailbox.emails() if email.withdrawn_at is None] == [EmailKind.RECEIPT]


@pytest.mark.parametrize("order", [("succeeded", "failed"), ("failed",)])
def test_what_is_told_of_a_refund_in_the_end_does_not_depend_on_it_either(
    mailbox: Mailbox, order: tuple[str, ...]
) -> None:
    payment = mailbox.payment(Fact.PAID)
    first, *then = (RefundStatus(status) for status in order)
    refund = mailbox.refund(payment, status=first)
    for status in then:
        mailbox.settle(payment, refund, status)
    mailbox.work()
    assert [email.kind for email in mailbox.emails() if email.withdrawn_at is None and email.about] == ["refund_failed"]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE emails SET payment_id = NULL",
        "UPDATE emails SET kind = 'digest'",
        "UPDATE emails SET kind = 'poem'",
        "UPDATE emails SET sent_at = now(), withdrawn_at = now()",
        "INSERT INTO emails (id, payment_id, kind, recipient) SELECT 'eml_2', payment_id, kind, 'x@y' FROM emails",
    ],
)
def test_the_database_refuses_a_mail_that_cannot_be(mailbox: Mailbox, statement: str) -> None:
    mailbox.payment(Fact.PAID)
    with pytest.raises(IntegrityError), mailbox.app.database.transaction() as session:
        session.execute(text(statement))


def test_the_database_refuses_a_second_digest_of_a_period(mailbox: Mailbox) -> None:
    mailbox.ask("a")
    mailbox.digest()
    again = "INSERT INTO emails (id, kind, about, recipient) SELECT 'eml_2', kind, about, 'x@y' FROM emails"
    with pytest.raises(IntegrityError), mailbox.app.database.transaction() as session:
        session.execute(text(again))


def test_a_mail_keeps_the_time_of_what_it_tells(mailbox: Mailbox) -> None:
    payment = mailbox.payment(Fact.PAID)
    with mailbox.app.database.transaction() as session:
        completed_at = session.get_one(Payment, payment.id).completed_at
    assert [email.created_at for email in mailbox.emails()] == [completed_at]
