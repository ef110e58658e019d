"""Who may see the console: the browser's own sign-in, with a staff member's API key as the password."""

from flask import Response, g, render_template, request

from payproc.database.models import Scope
from payproc.records.identity.users import Caller, NotAuthenticated, authenticate
from web.auth import application

_CHALLENGE = 'Basic realm="payproc console", charset="UTF-8"'


def require_operator() -> Response | None:
    """Find out who asks, before a page is made; return the answer to whoever is not staff.

    A wrong key, a customer's and none at all cost the same look-up and get the same answer.
    """
    try:
        caller = authenticate(application().database, _key(), settings=application().settings)
    except NotAuthenticated:
        return _refusal()
    if not _may_look(caller):
        return _refusal()
    g.caller = caller
    return None


def _may_look(caller: Caller) -> bool:
    return caller.user.is_staff and Scope.READ in caller.scopes


def _key() -> str:
    given = request.authorization
    password = given.password if given is not None and given.type == "basic" else None
    # Tokens have dots and keys have none. A browser would go on sending a token long after it has run out.
    return password if password and "." not in password else ""


def _refusal() -> Response:
    answer = Response(render_template("console/sign_in.html"), status=401)
    answer.headers["WWW-Authenticate"] = _CHALLENGE
    return answer
