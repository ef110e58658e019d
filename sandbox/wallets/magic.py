"""Telephone numbers that ask for a particular outcome of a push."""

from dataclasses import dataclass
from enum import StrEnum

from sandbox.wallets.actions import Action
from sandbox.wallets.config import WalletTimes

# Numbers that begin like this are magic; their last two digits say what happens.
PREFIX = "0300000"


class Manner(StrEnum):
    """What becomes of the answer to the call."""

    PLAIN = "plain"
    HELD = "held"  # the connection stays open and nothing comes
    FIREWALL_PAGE = "firewall_page"  # HTML, status 200
    TRUNCATED = "truncated"


class Moment(StrEnum):
    """When the later action of a number happens."""

    PAID_AFTER = "paid_after"
    LATE_AFTER = "late_after"

    def seconds(self, times: WalletTimes) -> float:
        """Return its distance from the call."""
        return times.paid_after if self is Moment.PAID_AFTER else times.late_after


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """What happens to a push; without an action at once it is pending."""

    at_once: Action | None = None
    later: Action | None = None
    moment: Moment = Moment.PAID_AFTER
    manner: Manner = Manner.PLAIN
    # Added, in paisa, to every amount the gateway tells.
    mistake: int = 0
    notice_copies: int = 1
    waits_for_person: bool = False


USUAL = Behaviour(at_once=Action.APPROVE)

MAGIC = {
    1: USUAL,
    2: Behaviour(at_once=Action.DECLINE),
    3: Behaviour(at_once=Action.LOW_BALANCE),
    4: Behaviour(later=Action.APPROVE),
    5: Behaviour(),
    6: Behaviour(at_once=Action.APPROVE, manner=Manner.HELD),
    7: Behaviour(later=Action.APPROVE, manner=Manner.FIREWALL_PAGE),
    8: Behaviour(at_once=Action.APPROVE, manner=Manner.TRUNCATED),
    9: Behaviour(at_once=Action.APPROVE, mistake=100),
    10: Behaviour(at_once=Action.APPROVE, notice_copies=3),
    11: Behaviour(at_once=Action.DECLINE, later=Action.LATE_SUCCESS, moment=Moment.LATE_AFTER),
    12: Behaviour(at_once=Action.APPROVE, later=Action.LATE_FAILURE, moment=Moment.LATE_AFTER),
    13: Behaviour(waits_for_person=True),
}


def behaviour_of(phone: str) -> Behaviour:
    """Return what the number asks for: approval, unless it is magic."""
    if not phone.startswith(PREFIX):
        return USUAL
    return MAGIC.get(int(phone[-2:]), USUAL)
