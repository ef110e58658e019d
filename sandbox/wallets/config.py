"""How long things take at the simulated wallets."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class WalletTimes:
    """Every duration is in seconds; tests shorten them."""

    # From a pending answer to the money.
    paid_after: float = 2
    # From the first outcome to the one that contradicts it.
    late_after: float = 3
    # How long a call that will never be answered is held. Merchants wait 60 to 100 seconds.
    hold: float = 120
    # How long a call for number 13 waits for a person before it answers that it is pending.
    person_wait: float = 0
    notice_retry_pause: float = 5
    # JazzCash gives a merchant a minute to acknowledge.
    notice_timeout: float = 60
