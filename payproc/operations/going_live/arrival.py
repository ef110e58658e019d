"""Whether what Stripe would send arrives: an event of our own making goes out of the house and in again.

It is signed with our secret and concerns no payment, so the inbox keeps it as ignored and does nothing.
"""

import requests
from sqlalchemy import select

from payproc.database.engine import Database
from payproc.database.models import Notice
from payproc.providers.inspection import Finding, fine, missing
from payproc.providers.stripe import STRIPE
from payproc.providers.stripe.account import StripeAccount

_CONNECT_SECONDS, _READ_SECONDS = 4, 10
_SEE_ADDRESS = "see where PUBLIC_BASE_URL leads, from outside as well"


def look_for_arrival(account: StripeAccount, database: Database) -> Finding:
    """Send a test event to our own address, and look for it in the database."""
    event_id, body, headers = account.test_event()
    try:
        status = _sent(account.address, body, headers=dict(headers))
    except requests.exceptions.SSLError:
        return missing(f"{account.address} shows a certificate that nobody vouches for", to_do="renew the certificate")
    except requests.RequestException as trouble:
        return missing(f"{account.address} does not answer ({type(trouble).__name__})", to_do=_SEE_ADDRESS)
    if status != requests.codes.ok:
        return _not_taken(account.address, status)
    with database.transaction() as session:
        kept = session.scalar(select(Notice.state).where(Notice.provider == STRIPE, Notice.key == event_id))
    if kept is None:
        return missing(
            f"{account.address} takes our events, and keeps them in another database", to_do="see whose address it is"
        )
    return fine(f"{account.address} has verified a test event and kept it as {kept}")


def _sent(address: str, body: bytes, *, headers: dict[str, str]) -> int:
    with requests.Session() as session:
        # Stripe knows none of this machine's proxies, and follows no redirect.
        session.trust_env = False
        patience = (_CONNECT_SECONDS, _READ_SECONDS)
        with session.post(address, body, headers=headers, timeout=patience, allow_redirects=False, stream=True) as said:
            return said.status_code


def _not_taken(address: str, status: int) -> Finding:
    if status == requests.codes.forbidden:
        return missing(
            f"{address} does not believe our signature (403)",
            to_do="restart web after STRIPE_WEBHOOK_SECRET was changed; does something before it change the body?",
        )
    if 300 <= status < 400:  # noqa: PLR2004 (HTTP's own numbers)
        return missing(
            f"{address} redirects ({status}), and Stripe follows nothing", to_do="let PUBLIC_BASE_URL be where it leads"
        )
    return missing(f"{address} answered {status}", to_do=_SEE_ADDRESS)
