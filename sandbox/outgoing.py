"""One HTTP request of a gateway to its merchant, following no redirect and no proxy variable."""

import http.client
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

# A merchant's answer to a notice is a line; more is not read.
MOST_BYTES = 65_536


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What the receiver answered, or the reason there is none."""

    status: int | None = None
    body: bytes = b""
    error: str | None = None

    @property
    def accepted(self) -> bool:
        """Whether it is a 2xx; a redirect is a failure."""
        return self.status is not None and 200 <= self.status < 300  # noqa: PLR2004 - HTTP's own numbers

    def json(self) -> dict[str, Any] | None:
        """Return the body's JSON object, or nothing when it is anything else."""
        try:
            found = json.loads(self.body)
        except ValueError:
            return None
        return found if isinstance(found, dict) else None


def send(method: str, url: str, payload: bytes | None, *, headers: dict[str, str], timeout: float) -> Reply:
    """Send one request; the timeout is in seconds and no answer is no exception."""
    parts = urlsplit(url)
    maker = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    target = parts.path or "/"
    try:
        connection = maker(parts.hostname or "", parts.port, timeout=timeout)
    except ValueError as error:  # a port that is none: addresses in forms are the customer's to write
        return Reply(error=f"{type(error).__name__}: {error}")
    try:
        connection.request(method, f"{target}?{parts.query}" if parts.query else target, payload, headers)
        response = connection.getresponse()
        return Reply(status=response.status, body=response.read(MOST_BYTES))
    except (OSError, http.client.HTTPException, ValueError) as error:
        return Reply(error=f"{type(error).__name__}: {error}")
    finally:
        connection.close()
