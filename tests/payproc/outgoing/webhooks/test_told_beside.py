"""What is told while an endpoint is being changed: neither waits for the other, and nothing stays behind."""

from sqlalchemy import text

from payproc.database.models import DeliveryState, WebhookDelivery
from payproc.outgoing.webhooks import endings, endpoints, outbox
from payproc.outgoing.webhooks.event_types import EventType
from payproc.records import payments
from tests.support.shops.webhooks import Receiver, endpoint_at
from tests.support.world import World


def test_a_payment_is_told_while_somebody_changes_an_endpoint_of_it(world: World) -> None:
    endpoint, _ = endpoint_at(world.app, "https://shop.example.com/hook")
    payment = world.checkout()
    with world.app.database.transaction() as owner:
        endpoints.pause(endpoints.locked(owner, endpoint))
        owner.flush()
        with world.app.database.transaction() as session:
            session.execute(text("SET LOCAL lock_timeout = '1s'"))
            held = payments.locked(session, payment.id)
            outbox.tell_payment(session, held, EventType.PAYMENT_PROCESSING)
            # It is of no move, and told to nobody after all.
            session.rollback()


def test_what_was_told_the_moment_its_endpoint_ended_ends_as_failed_without_a_try(
    world: World, receiver: Receiver
) -> None:
    endpoint, _ = endpoint_at(world.app, receiver.url)
    with world.app.database.transaction() as session:
        endings.disable(session, endpoints.locked(session, endpoint), reason="it is gone")
    with world.app.database.transaction() as session:
        # As the statement sees it that began before.
        session.execute(text("UPDATE webhook_endpoints SET state = 'enabled'"))
    world.checkout()
    with world.app.database.transaction() as session:
        session.execute(text("UPDATE webhook_endpoints SET state = 'disabled'"))
    world.drain()
    [delivery] = world.rows(WebhookDelivery)
    assert (delivery.state, delivery.tries, receiver.received) == (DeliveryState.FAILED, 0, [])
