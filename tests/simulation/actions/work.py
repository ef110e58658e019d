"""What the shop's relay, its clock and its workers do."""

from payproc.jobs import Kind
from payproc.operations import clock
from tasks import relay
from tests.simulation.actions.choosing import NothingToDo, one_of
from tests.simulation.actions.gateways import bring_an_event
from tests.simulation.fate import Blow
from tests.simulation.shop import Shop
from tests.simulation.workers import Message, work


def send_what_is_due(shop: Shop, _who: int, _how: int) -> None:
    if not relay.dispatch_due(shop.app):
        raise NothingToDo


def do_some_work(shop: Shop, who: int, _: int) -> None:
    message = _next_message(shop, who)
    shop.broker.waiting.remove(message)
    work(shop.app, message)


def _next_message(shop: Shop, who: int) -> Message:
    """Return a message that waits; where none does, one of what is due, or of what Stripe has to tell."""
    if not shop.broker.waiting and not relay.dispatch_due(shop.app):
        bring_an_event(shop, who, 1)
        relay.dispatch_due(shop.app)
    return one_of(shop.broker.waiting, who)


def work_and_die(shop: Shop, who: int, how: int) -> None:
    """Die of it, or lose the database, at some moment of a job."""
    shop.fate.doom((Blow.DEATH, Blow.DEATH, Blow.LOST_CONNECTION)[how % 3], after=how // 3 % 10)
    try:
        do_some_work(shop, who, how)
    finally:
        shop.fate.relent()


def do_work_twice(shop: Shop, who: int, _: int) -> None:
    message = one_of(shop.broker.waiting, who)
    shop.fate.met["a repeated message"] += 1
    work(shop.app, message)


def lose_a_message(shop: Shop, who: int, _: int) -> None:
    message = one_of(shop.broker.waiting, who)
    shop.broker.waiting.remove(message)
    shop.fate.met["a lost message"] += 1


def wipe_the_broker(shop: Shop, _who: int, _how: int) -> None:
    if not shop.broker.waiting:
        raise NothingToDo
    shop.broker.waiting.clear()
    shop.fate.met["a wiped broker"] += 1


def tick(shop: Shop, who: int, _: int) -> None:
    kind = one_of([kind for kind in Kind if kind.policy.clock], who)
    with shop.app.database.transaction() as session:
        clock.tick(session, kind, now=shop.clock.now)
