"""What is told of a payment's taking is written by the statement that takes it."""

import json

from sqlalchemy import select

from payproc.database.models import Event
from tests.support.world import World


def test_metadata_that_is_named_like_the_moment_is_told_as_it_is(world: World) -> None:
    payment = world.checkout(meta={"created_at": None, "note": '"created_at":null, %(id)s {} \\ ؟'})
    with world.app.database.transaction() as session:
        told = json.loads(session.scalars(select(Event.data).where(Event.payment_id == payment.id)).one())
    assert told["metadata"] == payment.meta
    assert told["created_at"] == f"{payment.created_at:%FT%T.%fZ}"
