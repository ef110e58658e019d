"""What may happen next, how often, and what happens instead where there is nobody to whom it could."""

import random

from tests.simulation.actions import customers, faults, gateways, operators, statements, stories, work
from tests.simulation.actions.befalling import befall
from tests.simulation.actions.choosing import Action
from tests.simulation.shop import Shop

WEIGHTS: dict[Action, int] = {
    customers.take_card_payment: 12,
    customers.take_wallet_payment: 8,
    customers.call_off: 3,
    customers.ask_again: 4,
    customers.ask_for_a_refund: 8,
    customers.ask_for_a_wallets_refund: 2,
    work.send_what_is_due: 10,
    work.do_some_work: 20,
    work.work_and_die: 18,
    work.do_work_twice: 3,
    work.lose_a_message: 2,
    work.wipe_the_broker: 1,
    work.tick: 3,
    gateways.act_at_the_page: 16,
    gateways.think_at_the_page: 7,
    gateways.act_at_the_wallet: 5,
    gateways.change_its_mind: 8,
    gateways.bring_an_event: 16,
    gateways.bring_a_late_event: 5,
    gateways.drop_an_event: 2,
    gateways.bring_a_wallets_notice: 6,
    gateways.give_back_in_the_dashboard: 2,
    gateways.end_a_refund: 7,
    gateways.dispute: 1,
    gateways.warn_of_fraud: 1,
    gateways.move_a_dispute: 2,
    gateways.pay_out: 1,
    gateways.pay_beside_us: 3,
    operators.settle_a_question: 5,
    operators.decide_about_a_refund: 6,
    operators.requeue: 1,
    operators.bury: 1,
    operators.cancel_by_hand: 2,
    operators.complete_by_mistake: 6,
    operators.undo_a_mistake: 2,
    operators.give_back_by_the_wallet: 1,
    statements.bring_a_statement: 2,
    stories.race_for_a_payment: 14,
    stories.die_with_a_charge_in_hand: 6,
    stories.settle_during_its_start: 4,
    stories.give_back_before_all_is_heard: 5,
    stories.give_back_in_the_portal: 4,
    faults.work_beside_others: 18,
    faults.pass_time: 12,
    faults.break_stripe: 8,
    faults.break_a_wallet: 4,
    faults.break_the_mail: 1,
    faults.doom: 3,
    faults.interrupt: 3,
}
BY_NAME: dict[str, Action] = {action.__name__: action for action in WEIGHTS}
_MOST_TRIES = 6


def happen(shop: Shop, name: str, who: int, how: int) -> None:
    """Let an action happen; where there is nobody to whom it could, another one, drawn from the same numbers."""
    if befall(shop, BY_NAME[name], who, how):
        return
    chance = random.Random(f"{name} {who} {how}")  # noqa: S311 (the same each time is what is wanted)
    for instead in chance.choices(list(WEIGHTS), list(WEIGHTS.values()), k=_MOST_TRIES):
        if befall(shop, instead, who, how):
            return
    shop.done["nobody there"] += 1
