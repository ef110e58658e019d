"""How many customers are rung at once: for one phone, of one user, of one shop, from one address.

A push rings somebody's phone, and holds a thread until it is answered. Without a limit one key rings any phone as often
as it likes, and keeps everybody else waiting.
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import Any

from payproc.database.models import Payment
from payproc.domain.states import OPEN
from payproc.errors import TooManyRequests
from payproc.records.payments import Beside
from payproc.settings import Settings

# Bound to its purpose: what else is made of SECRET_KEY must not be found by it.
_PURPOSE = b"payproc push 1 "
_LEAST_WAIT = timedelta(seconds=5)
# Who has an address of version 6 has the whole of its network, and can ask from each.
_ONE_HOLDERS = 64

# First: a count in the same statement would not see what was committed while it waited.
_IN_TURN = """
SELECT pg_advisory_xact_lock(hashtextextended(holder, 0))
FROM (SELECT unnest(%(holders)s::text[]) AS holder ORDER BY holder) AS taken
"""
_COUNTED = """open AS (
    SELECT holder, count(*) AS pushes, min(push_shares.created_at) AS oldest
    FROM push_shares JOIN payments ON payments.id = payment_id
    WHERE holder = ANY(%(holders)s) AND push_shares.created_at > now() - %(rings_for)s::interval
      AND payments.status = ANY(%(open)s)
    GROUP BY holder
), over AS (
    SELECT holder, oldest FROM open JOIN unnest(%(holders)s::text[], %(most)s::int[]) AS share (holder, most)
    USING (holder) WHERE pushes >= most
)"""
_ADDED = """shared AS (
    INSERT INTO push_shares (holder, payment_id) SELECT unnest(%(holders)s::text[]), %(id)s FROM created
)"""
# What a payment is written down beside: nothing of it is, while as many are rung as may be.
COUNTED = Beside(
    parts_before=(_COUNTED,),
    where="WHERE NOT EXISTS (SELECT FROM over)",
    parts_after=(_ADDED,),
    answers="UNION ALL SELECT NULL, holder, oldest FROM over",
    lock=_IN_TURN,
)


@dataclass(frozen=True, kw_only=True)
class _Share:
    whose: str
    most: int


class PushQuota:
    """For whom a new payment's push counts; a push is open as long as its payment, while it can ring anybody."""

    def __init__(self, payment: Payment, *, phone: str, address: str | None, settings: Settings) -> None:
        self._shares = _shares(payment, phone=phone, address=address, settings=settings)
        self._settings = settings

    def parameters(self) -> dict[str, Any]:
        """Return the parameters of `COUNTED`."""
        holders = sorted(self._shares)
        return {
            "holders": holders,
            "most": [self._shares[holder].most for holder in holders],
            "rings_for": rings_for(self._settings),
            "open": [status.value for status in OPEN],
        }

    def check(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Read the rows that a statement beside `COUNTED` answers.

        Raises TooManyRequests where the payment was not written down for it.
        """
        for made_at, holder, oldest in rows:
            if made_at is None and holder is not None:
                raise _too_many(self._shares[holder], oldest, self._settings)


def rings_for(settings: Settings) -> timedelta:
    """Return how long after it was asked for a push may ring: until it is not tried any more, and its last wait."""
    return settings.push_patience + settings.push_timeout


def _shares(payment: Payment, *, phone: str, address: str | None, settings: Settings) -> Mapping[str, _Share]:
    named = {f"phone {phone}": _Share(whose="phone", most=settings.pushes_per_phone)}
    if payment.shop_id is not None:
        named[f"shop {payment.shop_id}"] = _Share(whose="shop", most=settings.pushes_per_shop)
    if payment.user_id != payment.shop_id:
        # A shop that names no customer has many of them.
        named[f"user {payment.user_id}"] = _Share(whose="user", most=settings.pushes_per_user)
    if address is not None:
        named[f"address {holder_of(address)}"] = _Share(whose="address", most=settings.pushes_per_address)
    key = settings.secret_key.get_secret_value().encode()
    return {hmac.new(key, _PURPOSE + name.encode(), hashlib.sha256).hexdigest(): share for name, share in named.items()}


def holder_of(address: str) -> str:
    """Return what is counted as one client: an address of version 4, a /64 of version 6, or the word as it is."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if not isinstance(found, IPv6Address):
        return str(found)
    return str(found.ipv4_mapped or IPv6Network((found, _ONE_HOLDERS), strict=False))


def _too_many(share: _Share, oldest: datetime, settings: Settings) -> TooManyRequests:
    # The oldest has been answered by then, as a rule: nobody is waited for any longer.
    left = oldest + settings.push_timeout - datetime.now(UTC)
    return TooManyRequests(
        f"{share.most} customers are being rung already for this {share.whose}; wait until one has answered.",
        code="too_many_pushes",
        retry_after=max(left, _LEAST_WAIT),
    )
