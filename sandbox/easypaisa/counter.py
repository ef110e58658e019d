"""What Easypaisa does when somebody acts at its page or at the controls."""

from sandbox.easypaisa.hosted import choose
from sandbox.easypaisa.notices import GuideNotice, Ipn
from sandbox.wallets.actions import Action
from sandbox.wallets.desk import Desk, Onward
from sandbox.wallets.transactions import Dialect, State, Transaction


class EasyPaisaCounter:
    """The way back to the shop, and which notice tells of it."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def channel(self, transaction: Transaction) -> str:
        """Return the name of the channel that tells of the transaction."""
        return GuideNotice.name if transaction.dialect is Dialect.GUIDE else Ipn.name

    def press(self, transaction: Transaction, action: Action) -> Onward | None:
        """Do it and return where the browser goes next, if there is a browser; raises NotPossible."""
        if transaction.dialect is Dialect.HOSTED and transaction.state is State.INITIATED:
            return choose(self._desk, transaction, action)
        self._desk.act(transaction.gateway, transaction.reference, action)
        return None
