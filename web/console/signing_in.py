"""Who may see the console: the browser's own sign-in, with a staff member's API key as the password."""

from flask import Response, render_template, request

from payproc.records.identity.permissions import NotAllowed
from payproc.records.identity.users import NotAuthenticated, authenticate
from web.auth import admit, application

_CHALLENGE = 'Basic realm="payproc console", charset="UTF-8"'


def require_operator() -> Response | None:
    """Find out who asks, before a page is made; return the answer to whoever is not staff.

    A wrong key, a customer's and none at all cost the same look-up and get the same answer.
    """
    try:
        admit(authenticate(application().database, _key(), settings=application().settings))
    except (NotAuthenticated, NotAllowed):
        return _refusal()
    return None


def _key() -> str:
    given = request.authorization
    password = given.password if given is not None and given.type == "basic" else None
    # Tokens have dots and keys have none. A browser would go on sending a token long after it has run out.
    return password if password and "." not in password else ""


def _refusal() -> Response:
    answer = Response(render_template("console/sign_in.html"), status=401)
    answer.headers["WWW-Authenticate"] = _CHALLENGE
    return answer
