"""What a simulated JazzCash merchant is told when the gateway starts."""

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class JazzCashAccount:
    """One merchant, with what it has registered in JazzCash's portal."""

    merchant_id: str
    password: str = field(repr=False)
    integrity_salt: str = field(repr=False)
    merchant_mpin: str = field(repr=False)
    # The hosted page goes back to no other address, compared character by character.
    return_url: str
    ipn_url: str
    # JazzCash grants it or does not; without it a partial refund is answered with 454.
    partial_refunds: bool = True
