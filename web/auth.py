"""Who calls, from the Authorization header."""

from flask import current_app, g, request

from payproc.application import Application
from payproc.database.models import Scope, User
from payproc.records.identity.users import Caller, NotAllowed, NotAuthenticated, authenticate


def application() -> Application:
    """Return the application this web process serves."""
    found: Application = current_app.extensions["payproc"]
    return found


def require_caller() -> None:
    """Find out who calls, before a view runs.

    Raises NotAuthenticated, or NotAllowed where the credential may only read.
    """
    if request.method == "OPTIONS":
        # A browser asks for permission to send the key before it sends it.
        return
    header = request.headers.get("Authorization", "")
    scheme, _, credential = header.partition(" ")
    if scheme.lower() != "bearer" or not credential.strip():
        raise NotAuthenticated("Send Authorization: Bearer, with an API key or a token.")
    app = application()
    keys = current_app.extensions["signing_keys"]
    caller = authenticate(app.database, credential.strip(), settings=app.settings, keys=keys)
    needed = Scope.READ if request.method in ("GET", "HEAD") else Scope.WRITE
    if needed not in caller.scopes:
        raise NotAllowed(f"This key lacks the scope {needed}.")
    g.caller = caller


def current_user() -> User:
    """Return the user found by `require_caller`."""
    caller: Caller = g.caller
    return caller.user


def require_staff(refusal: str) -> None:
    """Let only the merchant's staff go on.

    Raises NotAllowed, with this sentence, for everybody else.
    """
    if not current_user().is_staff:
        raise NotAllowed(refusal)
