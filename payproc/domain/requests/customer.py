"""Whom a shop names as the one who pays."""

from dataclasses import dataclass, field

from payproc.domain.languages import Locale
from payproc.errors import InvalidRequest

# RFC 5321 ends an address at 254 characters.
_LONGEST_EMAIL = 254


@dataclass(frozen=True, kw_only=True)
class CustomerRequest:
    """A customer as their shop tells of them; what is None is not said. `reference` is the shop's own name for them.

    `phone` as the shop wrote it.
    """

    email: str
    name: str | None = None
    phone: str | None = field(default=None, repr=False)
    locale: Locale | None = None
    reference: str | None = None


def masked_email(email: str) -> str:
    """Return an address as whoever has a link may see it: a***@example.com."""
    local, _, domain = email.partition("@")
    return f"{local[:1]}***@{domain}"


def check_email(email: str) -> str:
    """Return an address that mail may be sent to.

    Raises InvalidRequest for what has not one @, or white space.
    """
    local, _, domain = email.partition("@")
    if not local or not domain or "@" in domain or any(c.isspace() for c in email) or len(email) > _LONGEST_EMAIL:
        raise InvalidRequest(f"{email!r} is not an e-mail address.", code="email_invalid", field="email")
    return email
