"""Where a customer's browser may be sent after paying: an allow-list, or the checkout is an open redirect."""

from collections.abc import Collection
from urllib.parse import urlsplit

from payproc.errors import InvalidRequest
from payproc.settings import Environment, Settings

_LONGEST = 2000
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_EXAMPLES = frozenset({"example.com", "example.org", "example.net"})


def check_redirect(url: str, *, field: str, settings: Settings) -> None:
    """Raise InvalidRequest unless `url` is absolute, plain, and of an allowed host.

    Plain http is for development's loopback only.
    """
    if url.startswith(f"{settings.public_base_url}/pay/"):
        # An order's own page, where its shop has none.
        return
    problem = _redirect_problem(url, settings)
    if problem:
        raise InvalidRequest(f"{field} {problem}.", code="redirect_refused", field=field)


def _redirect_problem(url: str, settings: Settings) -> str | None:
    # Browsers read a backslash as a slash and drop control characters and spaces; urlsplit does neither.
    if len(url) > _LONGEST or "\\" in url or any(ord(c) <= ord(" ") or ord(c) >= 127 for c in url):  # noqa: PLR2004 (DEL)
        return "must be plain ASCII without spaces or backslashes, and not too long"
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        return "is not a URL"
    if parts.scheme not in ("http", "https") or not host or "@" in parts.netloc:
        return "must be an absolute http or https URL without a user name"
    if host not in _allowed_hosts(settings):
        return f"points to {host}, which is not in REDIRECT_HOSTS"
    if parts.scheme == "http" and host not in _LOOPBACK:
        return "must use https"
    return None


def _allowed_hosts(settings: Settings) -> Collection[str]:
    named = {host.lower() for host in settings.redirect_hosts}
    if settings.environment is Environment.PRODUCTION:
        return named
    return named | _LOOPBACK | _EXAMPLES
