"""What the gateway process is told when it starts."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

from sandbox.easypaisa.config import EasyPaisaAccount
from sandbox.jazzcash.config import JazzCashAccount
from sandbox.stripe.config import StripeConfig
from sandbox.wallets.config import WalletTimes


@dataclass(frozen=True, kw_only=True)
class GatewayConfig(StripeConfig):
    """Stripe's settings, and the accounts of those wallets that are served."""

    jazz_cash: JazzCashAccount | None = None
    easy_paisa: EasyPaisaAccount | None = None
    wallet_times: WalletTimes = field(default_factory=WalletTimes)


class WalletSettings(TypedDict):
    """The part of the settings that comes from a file."""

    jazz_cash: JazzCashAccount | None
    easy_paisa: EasyPaisaAccount | None
    wallet_times: WalletTimes


def read_wallets(path: Path | None) -> WalletSettings:
    """Read `{"jazz_cash": {…}, "easy_paisa": {…}, "times": {…}}`, each of which may be missing; no file is `{}`.

    Raises OSError, ValueError for what is not JSON, and TypeError for a field that is unknown or missing.
    """
    told: dict[str, Any] = {} if path is None else json.loads(path.read_text(encoding="utf-8"))
    jazz_cash, easy_paisa = told.get("jazz_cash"), told.get("easy_paisa")
    return {
        "jazz_cash": JazzCashAccount(**jazz_cash) if jazz_cash else None,
        "easy_paisa": EasyPaisaAccount(**easy_paisa) if easy_paisa else None,
        "wallet_times": WalletTimes(**told.get("times", {})),
    }
