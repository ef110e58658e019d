import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.exc import DBAPIError

from payproc.models import Payment
from payproc.states import PaymentStatus
from tests.conftest import ROOT
from tests.integration.conftest import World


def alembic(world: World) -> Config:
    config = Config(ROOT / "alembic.ini")
    config.attributes["url"] = world.app.settings.database_url
    return config


def test_the_migrations_make_exactly_what_the_models_say(world: World) -> None:
    command.check(alembic(world))


def test_one_step_down_and_up_again_with_work_in_flight_loses_nothing(world: World) -> None:
    done, open_one, fresh = world.started(), world.started(), world.checkout()
    world.act(done, "pay")
    world.deliver_all(done)
    world.drain_once()
    before = counts(world)

    command.downgrade(alembic(world), "-1")
    command.upgrade(alembic(world), "head")

    assert counts(world) == before
    world.drain()
    assert world.status(done.id) is PaymentStatus.COMPLETED
    assert world.status(open_one.id) is PaymentStatus.PENDING
    assert world.payment(fresh.id).stripe_session_id is not None


def test_all_the_way_down_leaves_nothing_and_up_again_works(database_url: str) -> None:
    config = Config(ROOT / "alembic.ini")
    config.attributes["url"] = database_url
    command.downgrade(config, "base")
    engine = create_engine(database_url)
    assert inspect(engine).get_table_names() == ["alembic_version"]
    command.upgrade(config, "head")
    assert Payment.__tablename__ in inspect(engine).get_table_names()
    engine.dispose()


def test_an_event_can_be_neither_changed_nor_dropped(world: World) -> None:
    world.checkout()
    for statement in ("UPDATE payment_events SET fact = 'paid'", "DELETE FROM payment_events"):
        with (
            pytest.raises(DBAPIError, match="only ever added"),
            world.app.database.transaction() as session,
        ):
            session.execute(text(statement))


def counts(world: World) -> dict[str, int]:
    tables = ("users", "payments", "payment_events", "jobs", "notices", "provider_calls", "emails")
    with world.app.database.transaction() as session:
        return {table: session.scalar(text(f"SELECT count(*) FROM {table}")) or 0 for table in tables}  # noqa: S608 (ours)
