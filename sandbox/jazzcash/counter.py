"""What JazzCash does when somebody acts at its page or at the controls."""

from sandbox.jazzcash.config import JazzCashAccount
from sandbox.jazzcash.guide import guide_onward
from sandbox.jazzcash.hosted import back_to_shop
from sandbox.jazzcash.notices import GuideNotice, Ipn
from sandbox.wallets.actions import Action
from sandbox.wallets.service import Onward, WalletService
from sandbox.wallets.transactions import Dialect, Transaction


class JazzCashCounter:
    """The way back to the shop, and which notice tells of it."""

    def __init__(self, service: WalletService, account: JazzCashAccount) -> None:
        self._service = service
        self._account = account

    def channel(self, transaction: Transaction) -> str:
        """Return the name of the channel that tells of the transaction."""
        return GuideNotice.name if transaction.dialect is Dialect.GUIDE else Ipn.name

    def press(self, transaction: Transaction, action: Action) -> Onward | None:
        """Do it and return where the browser goes next, if there is a browser; raises NotPossible."""
        after = self._service.act(transaction.gateway, transaction.reference, action)
        match after.dialect:
            case Dialect.HOSTED:
                return back_to_shop(self._account, after)
            case Dialect.GUIDE:
                return guide_onward(after)
            case _:
                return None
