"""The end of a run: everything mended, everybody heard, until nothing is left to do."""

from contextlib import suppress
from datetime import timedelta

from sqlalchemy import func, select

from payproc.database.models import Job, JobState, Payment, Refund
from payproc.domain.states import OPEN, REFUND_OPEN
from payproc.errors import Conflict
from payproc.jobs import Kind
from payproc.operations import clock
from sandbox.stripe.account.outcomes import Action
from sandbox.stripe.account.refunds import Ending
from tasks import relay
from tests.simulation import portals, staff
from tests.simulation.fate import Death
from tests.simulation.shop import Shop
from tests.simulation.workers import work

# A session ends after a day; an open payment is asked about for ten days, and then a person is.
_DAYS = (1, 1, 4, 7, 1, 1)
_ROUNDS = [timedelta(minutes=10), timedelta(hours=2), *map(timedelta, _DAYS)]


def come_to_rest(shop: Shop) -> None:
    """Let nothing go wrong any more, and time pass, until all work is done."""
    shop.fate.relent()
    shop.bank.faults.clear()
    shop.post.troubles = 0
    # Every other one before its session is over.
    _undo_mistakes(shop, every=2)
    for by in _ROUNDS:
        _let_pass(shop, by)
        if by >= timedelta(days=1) and not _is_anything_open(shop):
            break
    # What the last of it has cost is told on the day after.
    _tick_everything(shop)
    _do_everything(shop)
    _let_pass(shop, timedelta(days=2))
    _undo_mistakes(shop, every=1)
    # What a statement's line waits for is asked about, and the same file then books it.
    for _ in range(2):
        portals.import_everything(shop)
        _do_everything(shop)
    _tick_everything(shop)
    _do_everything(shop)


def _undo_mistakes(shop: Shop, *, every: int) -> None:
    for payment in staff.mistaken(shop)[::every]:
        with suppress(Conflict):
            # Something of it is given back, or on its way: a question, which stays one.
            staff.undo(shop, payment)


def _let_pass(shop: Shop, by: timedelta) -> None:
    shop.pass_time(by)
    _let_banks_decide(shop)
    _bring_everything(shop)
    _do_everything(shop)


def _is_anything_open(shop: Shop) -> bool:
    with shop.app.database.transaction() as session:
        soon = select(func.count()).where(Job.state == JobState.READY, Job.due_at <= func.now() + timedelta(days=1))
        open_ones = select(func.count()).where(Payment.status.in_(OPEN))
        given_back = select(func.count()).where(Refund.status.in_(REFUND_OPEN))
        return any(session.scalar(query) for query in (soon, open_ones, given_back))


def _let_banks_decide(shop: Shop) -> None:
    for session in shop.listed("checkout.session"):
        shop.at_gateway(f"sessions/{session['id']}/{Action.SETTLE}")
    for refund in shop.listed("refund"):
        shop.at_gateway(f"refunds/{refund['id']}/{Ending.SUCCEED}")


def _bring_everything(shop: Shop) -> None:
    for event in shop.listed("event"):
        if event["id"] not in shop.delivered | shop.dropped:
            shop.deliver(event)
    while shop.wallets.postman.deliver_next():
        pass


def _tick_everything(shop: Shop) -> None:
    for kind in Kind:
        # What it would ask is asked at the end.
        if kind.policy.clock and kind is not Kind.CHECK_INVARIANTS:
            with shop.app.database.transaction() as session:
                clock.tick(session, kind, now=shop.clock.now)


def _do_everything(shop: Shop) -> None:
    for _ in range(500):
        if not relay.dispatch_due(shop.app) and not shop.broker.waiting:
            return
        while shop.broker.waiting:
            try:
                work(shop.app, shop.broker.waiting.pop(0))
            except Death:
                raise AssertionError("somebody died at the end of all faults") from None
    raise AssertionError("the work is never done")
