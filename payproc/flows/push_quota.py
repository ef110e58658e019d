"""How many customers are rung at once: for one phone, of one user, from one address.

A push rings somebody's phone, and holds a thread until it is answered. Without a limit one key rings any phone as often
as it likes, and keeps everybody else waiting.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv6Address, IPv6Network, ip_address

from sqlalchemy import text
from sqlalchemy.orm import Session

from payproc.database.models import Payment
from payproc.domain.states import OPEN
from payproc.errors import TooManyRequests
from payproc.settings import Settings

# Bound to its purpose: what else is made of SECRET_KEY must not be found by it.
_PURPOSE = b"payproc push 1 "
_LEAST_WAIT = timedelta(seconds=5)
# Who has an address of version 6 has the whole of its network, and can ask from each.
_ONE_HOLDERS = 64

# First: a count in the same statement would not see what was committed while it waited.
_IN_TURN = text(
    "SELECT pg_advisory_xact_lock(hashtextextended(holder, 0)) "
    "FROM (SELECT unnest(CAST(:holders AS text[])) AS holder ORDER BY holder) AS taken"
)
_COUNT_AND_ADD = text("""
WITH open AS (
    SELECT holder, count(*) AS pushes, min(push_shares.created_at) AS oldest
    FROM push_shares JOIN payments ON payments.id = payment_id
    WHERE holder = ANY(:holders) AND push_shares.created_at > now() - CAST(:rings_for AS interval)
      AND payments.status = ANY(:open)
    GROUP BY holder
), added AS (
    INSERT INTO push_shares (holder, payment_id) SELECT unnest(CAST(:holders AS text[])), :payment_id
)
SELECT holder, pushes, oldest FROM open
""")


@dataclass(frozen=True, kw_only=True)
class _Share:
    whose: str
    most: int


def admit_push(session: Session, payment: Payment, *, phone: str, address: str | None, settings: Settings) -> None:
    """Count a new payment's push for whom it is; a push is open as long as its payment, while it can ring anybody.

    Costs two statements. Raises TooManyRequests, and then the caller's transaction must not stand.
    """
    session.flush()
    shares = dict(_shares(payment, phone=phone, address=address, settings=settings))
    holders = sorted(shares)
    session.execute(_IN_TURN, {"holders": holders})
    told = {
        "holders": holders,
        "payment_id": payment.id,
        "rings_for": rings_for(settings),
        "open": [status.value for status in OPEN],
    }
    for holder, pushes, oldest in session.execute(_COUNT_AND_ADD, told).all():
        if pushes >= shares[holder].most:
            raise _too_many(shares[holder], oldest, settings)


def rings_for(settings: Settings) -> timedelta:
    """Return how long after it was asked for a push may ring: until it is not tried any more, and its last wait."""
    return settings.push_patience + settings.push_timeout


def _shares(payment: Payment, *, phone: str, address: str | None, settings: Settings) -> Mapping[str, _Share]:
    named = {
        f"phone {phone}": _Share(whose="phone", most=settings.pushes_per_phone),
        f"user {payment.user_id}": _Share(whose="user", most=settings.pushes_per_user),
    }
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
