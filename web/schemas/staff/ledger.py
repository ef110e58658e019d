"""What is asked and answered about the books."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from payproc.database.models import Account
from payproc.records.ledger.journal import Balance
from web.schemas.base import AmountOut, Answer, Moment, Query


class LedgerQuery(Query):
    """Which moment's books, and what they are written in."""

    at: Moment | None = Field(default=None, description="Until then, that moment included; with its offset.")
    format: Literal["json", "csv", "beancount"] = Field(
        default="json", description="json: balances. csv, beancount: every entry, in the order of time."
    )


class BalanceAnswer(Answer):
    """What stands on an account at a provider; a debit is positive."""

    account: Account
    provider: str = Field(examples=["stripe"])
    currency: str = Field(examples=["usd"])
    amount: AmountOut = Field(examples=[-19.99])
    amount_minor: int = Field(examples=[-1999])

    @classmethod
    def of(cls, balance: Balance) -> "BalanceAnswer":
        """Show a balance."""
        money = balance.money
        return cls.of_row(balance, currency=money.currency.code, amount=money.major, amount_minor=money.amount_minor)


class LedgerAnswer(Answer):
    """The balances of every account that was ever used; in each currency they sum to zero."""

    at: datetime | None = Field(description="As it was asked for; null is now.")
    balances: list[BalanceAnswer]
