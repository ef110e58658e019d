from dataclasses import replace
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

from payproc.application import Letter
from payproc.database.models import Payment, User
from payproc.domain.states import PaymentStatus
from payproc.outgoing.mail.smtp import MailRefused, MailUnavailable
from tests.support.mailbox import Outgoing
from tests.support.world import World


def paid(world: World) -> Payment:
    payment = world.started()
    world.act(payment, "pay")
    world.deliver_all(payment)
    return payment


def test_a_mail_server_that_is_down_delays_the_receipt_and_not_the_payment(
    world: World, posted: list[EmailMessage]
) -> None:
    payment = paid(world)

    def down(_: Letter) -> None:
        raise MailUnavailable("down")

    replace(world, app=replace(world.app, mailer=Outgoing(down))).drain()
    assert world.status(payment.id) is PaymentStatus.COMPLETED
    assert posted == []

    world.make_due()
    world.drain()
    assert len(posted) == 1
    assert world.emails()[0].sent_at is not None


def test_a_mail_that_is_refused_for_good_goes_to_a_person(world: World) -> None:
    payment = paid(world)

    def refuse(_: Letter) -> None:
        raise MailRefused("no such mailbox (550)")

    replace(world, app=replace(world.app, mailer=Outgoing(refuse))).drain()
    assert world.status(payment.id) is PaymentStatus.COMPLETED
    assert [review.kind for review in world.reviews()] == ["job_dead"]


def test_the_receipt_has_both_halves_and_the_same_id_however_often_it_is_composed(
    world: World, posted: list[EmailMessage]
) -> None:
    payment = paid(world)
    world.drain()

    [receipt] = posted
    parsed = message_from_bytes(receipt.as_bytes(), policy=default)
    text, html = parsed.get_body(("plain",)), parsed.get_body(("html",))
    assert text is not None
    assert html is not None
    for half in (text.get_content(), html.get_content()):
        assert "19.99 USD" in half
        assert "Two mangoes" in half
        assert world.payment(payment.id).reference in half
    assert parsed["Message-ID"] == f"<{world.emails()[0].id}@example.com>"


def test_a_name_full_of_markup_and_line_breaks_stays_a_name(world: World, posted: list[EmailMessage]) -> None:
    with world.app.database.transaction() as session:
        session.get_one(User, world.customer.id).full_name = "A\r\nBcc: x@example.com <script>alert(1)</script>"
    paid(world)
    world.drain()

    [receipt] = posted
    assert receipt["Bcc"] is None
    parsed = message_from_bytes(receipt.as_bytes(), policy=default)
    html = parsed.get_body(("html",))
    assert html is not None
    assert "<script>" not in html.get_content()
