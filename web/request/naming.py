"""A name for each request: by it a client, whoever stands between, and our log mean the same one."""

import re
import secrets
from collections.abc import Mapping
from typing import Any

REQUEST_ID = "X-Request-Id"
_IN_ENVIRON = "HTTP_X_REQUEST_ID"
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}", re.ASCII)
# Whoever has one may act with it, and a log is no place for it: a pay page's token, an API key, somebody's JWT.
CAPABILITY = re.compile(r"[\w-]{8,}(\.[\w-]{20,})+|pp_[\w-]{20,}")
_RANDOM_BYTES = 10


def new_name() -> str:
    """Make a name for a request whose sender gave it none."""
    return f"req_{secrets.token_hex(_RANDOM_BYTES)}"


def name_of(environ: Mapping[str, Any]) -> str:
    """Return the name that the sender gave a request, or a new one where it is long, no plain word, or a secret."""
    given = environ.get(_IN_ENVIRON)
    if given is None or not _PLAIN.fullmatch(given) or CAPABILITY.search(given):
        return new_name()
    return str(given)
