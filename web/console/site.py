"""The console: what operators look at in a browser. It only shows; deciding is for the command line.

Everything is drawn here, and no page needs a script.
"""

from flask import Blueprint, Response, request

from payproc.records.identity.permissions import Act
from web.auth import needs
from web.console import payment, reconciliation
from web.console.signing_in import require_operator

blueprint = Blueprint(
    "console",
    __name__,
    url_prefix="/console",
    template_folder="templates",
    static_folder="static",
    static_url_path="/assets",
)

_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_ASSETS = "console.static"

blueprint.add_url_rule("/reconciliation", "reconciliation", needs(Act.SEE_RECONCILIATION)(reconciliation.page))
blueprint.add_url_rule("/reconciliation.csv", "findings", needs(Act.SEE_RECONCILIATION)(reconciliation.findings))
blueprint.add_url_rule("/payments/<payment_id>", "payment", needs(Act.SEE_WORKINGS)(payment.page))


@blueprint.before_request
def _sign_in() -> Response | None:
    # The page that asks for the key wants its looks before it has it.
    return None if request.endpoint == _ASSETS else require_operator()


@blueprint.after_request
def _close(answer: Response) -> Response:
    answer.headers["Content-Security-Policy"] = _POLICY
    answer.headers["Referrer-Policy"] = "no-referrer"
    answer.headers["X-Frame-Options"] = "DENY"
    answer.headers["X-Robots-Tag"] = "noindex"
    if request.endpoint != _ASSETS:
        answer.headers["Cache-Control"] = "no-store"
    return answer
