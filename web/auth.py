"""Who calls, from the Authorization header, and whether they may."""

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Flask, current_app, g, request

from payproc.application import Application
from payproc.database.models import Role, User
from payproc.records.identity import permissions
from payproc.records.identity.permissions import Act, NotAllowed
from payproc.records.identity.users import Caller, NotAuthenticated, authenticate

View = TypeVar("View", bound=Callable[..., Any])

_ACT = "act"


def application() -> Application:
    """Return the application this web process serves."""
    found: Application = current_app.extensions["payproc"]
    return found


def needs(act: Act) -> Callable[[View], View]:
    """Say of a view what its caller must be allowed to do. What says nothing is open to nobody who has to say who."""

    def marked(view: View) -> View:
        vars(view)[_ACT] = act
        return view

    return marked


def act_of(app: Flask, endpoint: str) -> Act | None:
    """Return what a route's caller must be allowed to do; None where nobody is asked who they are."""
    return vars(app.view_functions[endpoint]).get(_ACT)


def admit(caller: Caller) -> None:
    """Let a caller go on to the present route's view, who is from now on its user.

    Raises NotAllowed.
    """
    # Before it is asked whether they may: the log names who was turned away.
    g.caller = caller
    act = act_of(current_app, request.endpoint or "")
    assert act is not None, "a route that asks who calls says what for"
    permissions.check(act, user=caller.user, scopes=caller.scopes)


def require_caller() -> None:
    """Find out who calls and whether they may, before a view runs.

    Raises NotAuthenticated, or NotAllowed.
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
    _check_browser(caller)
    admit(caller)
    current_app.extensions["request_limits"].count("user", caller.user.id)


def _check_browser(caller: Caller) -> None:
    """Let a secret key come from a server alone: what a shop's page holds, each of its visitors has.

    A customer's key opens what is the customer's own, and a token is made for a browser. Our own pages ask too, with
    the key that is pasted into them. Raises NotAllowed.
    """
    origin = request.headers.get("Origin")
    if origin is None or not caller.by_key or caller.user.role is Role.CUSTOMER:
        return
    if origin in (request.host_url.rstrip("/"), application().settings.public_base_url):
        return
    raise NotAllowed(
        f"This is a {caller.user.role}'s secret key, and it was sent from a browser's page at another site. "
        "Call from your server, and end this key: whoever saw the page may have it.",
        code="secret_key_in_browser",
    )


def current_user() -> User:
    """Return the user who was let in."""
    caller: Caller = g.caller
    return caller.user
