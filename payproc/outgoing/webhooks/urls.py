"""Which addresses an endpoint may be given. What its name leads to is looked at again at every call."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from payproc.errors import InvalidRequest
from payproc.outgoing.webhooks.sending.addresses import is_public
from payproc.settings import Environment, Settings

_LONGEST = 2000
_DELETE = "\x7f"


def check_url(url: str, *, settings: Settings) -> None:
    """Raise InvalidRequest unless `url` is absolute, plain, https, and not one of our own network's.

    Only where nothing is in production may it be plain http, and anybody's.
    """
    if problem := _problem(url, settings):
        raise InvalidRequest(f"url {problem}.", code="webhook_url_refused", field="url")


def _problem(url: str, settings: Settings) -> str | None:
    if len(url) > _LONGEST or any(not " " < letter < _DELETE for letter in url) or "\\" in url:
        return f"must be plain ASCII without spaces or backslashes, of {_LONGEST} letters at most"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return "is not a URL"
    if parts.scheme not in ("http", "https") or not host:
        return "must be an absolute https URL"
    if "@" in parts.netloc or parts.fragment:
        return "must have neither a user name nor a fragment"
    if settings.environment is not Environment.PRODUCTION:
        return None
    if parts.scheme != "https":
        return "must use https"
    return "must be of a host that the whole internet knows" if _is_ours(host) else None


def _is_ours(host: str) -> bool:
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return host == "localhost" or host.endswith((".localhost", ".local", ".internal"))
    return not is_public(host)
