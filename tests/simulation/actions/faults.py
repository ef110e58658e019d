"""What goes wrong by itself: time, broken gateways, death, and somebody else in between."""

from collections.abc import Sequence
from datetime import timedelta

from sandbox.faults.orders import ApiFault
from sandbox.wallets.opening import CALLS as WALLETS_CALLS
from tests.simulation.actions import customers, gateways, work
from tests.simulation.actions.befalling import befall
from tests.simulation.actions.choosing import Action, one_of, possible
from tests.simulation.fate import Blow
from tests.simulation.shop import Shop

_TIMES = [timedelta(seconds=each) for each in (1, 5, 20, 60, 300, 900, 3600, 4 * 3600, 24 * 3600, 3 * 24 * 3600)]
# What holds a thread up is held up by the clock here.
_FAULTS = [fault for fault in ApiFault if fault is not ApiFault.SLOW]
# Those of Stripe's that we call; the last ones oftener, for money goes by them.
_STRIPES_CALLS = (
    "GET /v1/checkout/sessions",
    "GET /v1/customers",
    "GET /v1/disputes",
    "GET /v1/disputes/{id}",
    "GET /v1/events",
    "GET /v1/payment_intents",
    "GET /v1/payouts",
    "GET /v1/balance_transactions",
    "GET /v1/refunds",
    "GET /v1/refunds/{id}",
    *("POST /v1/checkout/sessions", "POST /v1/refunds") * 3,
    *("POST /v1/checkout/sessions/{id}/expire", "POST /v1/customers", "GET /v1/checkout/sessions/{id}") * 2,
)


def pass_time(shop: Shop, who: int, how: int) -> None:
    # Short waits are many, and a day is one.
    shop.pass_time(_TIMES[min(who % len(_TIMES), how % len(_TIMES))])


def break_stripe(shop: Shop, who: int, how: int) -> None:
    _break(shop, one_of(_STRIPES_CALLS, who), how)


def break_a_wallet(shop: Shop, who: int, how: int) -> None:
    _break(shop, one_of(sorted(WALLETS_CALLS), who), how)


def _break(shop: Shop, operation: str, how: int) -> None:
    fault = one_of(_FAULTS, how)
    possible(shop.at_gateway("faults", operation=operation, fault=fault, times=1 + how % 2, seconds=0))
    shop.fate.met[f"{operation}: {fault}"] += 1


def break_the_mail(shop: Shop, who: int, _: int) -> None:
    shop.post.troubles += 1 + who % 3


def doom(shop: Shop, who: int, how: int) -> None:
    shop.fate.doom((Blow.DEATH, Blow.DEATH, Blow.LOST_CONNECTION)[who % 3], after=how % 12)


def interrupt(shop: Shop, who: int, how: int) -> None:
    def others() -> None:
        if not befall(shop, one_of(_IN_BETWEEN, who), who // 7, how // 5):
            shop.done["nobody in between"] += 1

    # Most transactions are shorter, and some are longer.
    shop.fate.interrupt(others, after=how % 23)


def work_beside_others(shop: Shop, who: int, how: int) -> None:
    """Let somebody else act at some moment of a job: between two statements, most of the time."""
    interrupt(shop, how, how // 2)
    try:
        work.do_some_work(shop, who, how)
    finally:
        shop.fate.relent()


_IN_BETWEEN: Sequence[Action] = (
    *(work.do_some_work, work.do_some_work, work.do_some_work, work.do_work_twice),
    *(gateways.bring_an_event, gateways.bring_a_wallets_notice),
    *(gateways.act_at_the_page, gateways.act_at_the_wallet),
    *(work.send_what_is_due, pass_time),
    *(customers.call_off, customers.ask_for_a_refund, customers.ask_again),
)
