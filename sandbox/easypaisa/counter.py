"""What Easypaisa does when somebody acts at its page or at the controls."""

from sandbox.easypaisa.hosted import choose
from sandbox.easypaisa.notices import GuideNotice, Ipn
from sandbox.wallets.actions import Action
from sandbox.wallets.service import Onward, WalletService
from sandbox.wallets.transactions import Dialect, State, Transaction


class EasyPaisaCounter:
    """The way back to the shop, and which notice tells of it."""

    def __init__(self, service: WalletService) -> None:
        self._service = service

    def channel(self, transaction: Transaction) -> str:
        """Return the name of the channel that tells of the transaction."""
        return GuideNotice.name if transaction.dialect is Dialect.GUIDE else Ipn.name

    def press(self, transaction: Transaction, action: Action) -> Onward | None:
        """Do it and return where the browser goes next, if there is a browser; raises NotPossible."""
        if transaction.dialect is Dialect.HOSTED and transaction.state is State.INITIATED:
            return choose(self._service, transaction, action)
        self._service.act(transaction.gateway, transaction.reference, action)
        return None
