"""Everything that can happen to a transaction, as one table."""

from dataclasses import dataclass
from enum import StrEnum

from sandbox.wallets.transactions import Reason, State, Transaction


class Action(StrEnum):
    """What customers, people at the controls and time do."""

    APPROVE = "approve"
    DECLINE = "decline"
    LOW_BALANCE = "low-balance"
    CANCEL = "cancel"
    PAY_LATER = "pay-later"
    DROP = "drop"
    EXPIRE = "expire"
    REVERSE = "reverse"
    LATE_SUCCESS = "late-success"
    LATE_FAILURE = "late-failure"


class News(StrEnum):
    """What a notice tells of."""

    PAID = "paid"
    NOT_PAID = "not_paid"
    FALSE_FAILURE = "false_failure"  # the transaction stays paid
    REVERSED = "reversed"


@dataclass(frozen=True, kw_only=True)
class Step:
    """When an action is possible and what it makes of the transaction; `becomes` of None leaves it as it is."""

    possible_in: frozenset[State]
    becomes: State | None
    reason: Reason | None = None
    news: News | None = None
    debits: int = 0


_OPEN = frozenset({State.INITIATED, State.PENDING})
_LOST = frozenset({State.FAILED, State.DROPPED, State.EXPIRED})
_PAID = frozenset({State.PAID})


def _failure(reason: Reason) -> Step:
    return Step(possible_in=_OPEN, becomes=State.FAILED, reason=reason, news=News.NOT_PAID)


STEPS = {
    Action.APPROVE: Step(possible_in=_OPEN, becomes=State.PAID, news=News.PAID, debits=1),
    Action.DECLINE: _failure(Reason.DECLINED),
    Action.LOW_BALANCE: _failure(Reason.LOW_BALANCE),
    Action.CANCEL: _failure(Reason.CANCELLED),
    Action.PAY_LATER: Step(possible_in=frozenset({State.INITIATED}), becomes=State.PENDING),
    Action.DROP: Step(possible_in=_OPEN, becomes=State.DROPPED, news=News.NOT_PAID),
    Action.EXPIRE: Step(possible_in=_OPEN, becomes=State.EXPIRED, news=News.NOT_PAID),
    Action.REVERSE: Step(possible_in=_PAID, becomes=State.REVERSED, news=News.REVERSED),
    Action.LATE_SUCCESS: Step(possible_in=_LOST, becomes=State.PAID, news=News.PAID, debits=1),
    Action.LATE_FAILURE: Step(possible_in=_PAID, becomes=None, news=News.FALSE_FAILURE),
}


class NotPossible(Exception):
    """An action that makes no sense in the transaction's present state."""


def take_step(transaction: Transaction, action: Action, *, at: int) -> News | None:
    """Change the transaction and return what there is to tell; raises NotPossible."""
    step = STEPS[action]
    if transaction.state not in step.possible_in:
        raise NotPossible(f"Cannot {action} a transaction that is {transaction.state}")
    if step.becomes is not None:
        transaction.state, transaction.reason = step.becomes, step.reason
    transaction.debits += step.debits
    transaction.history.append({"at": at, "action": action, "state": transaction.state})
    return step.news


def possible_actions(state: State) -> list[Action]:
    """Return what can happen next."""
    return [action for action, step in STEPS.items() if state in step.possible_in]
