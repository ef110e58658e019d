"""The OpenAPI document at /openapi.json and a page to read it at /docs. Nothing is fetched from elsewhere."""

from functools import cache
from pathlib import Path
from typing import Any

from flask import Response, redirect
from flask.json import dumps
from flask_openapi.models.security_scheme import SecurityScheme
from flask_openapi.models.server import Server
from flask_openapi.openapi import OpenAPI
from flask_openapi_scalar.plugins import RegisterPlugin
from werkzeug.wrappers import Response as AnyResponse

from web.docs import problems
from web.docs.assets import ASK_AGAIN, FOR_EVER, Asset
from web.docs.describing import describe
from web.docs.webhooks import webhooks

DESCRIPTION = """\
Take cards through Stripe Checkout and Pakistani wallets, give money back, and see why each payment is as it is.

Amounts go in as `amount` (major units, read exactly) or `amount_minor`; answers carry both. Every error is
`application/problem+json` with a stable `code`. Send `Idempotency-Key` with a checkout or a refund that you may repeat:
a value of your own for each, so the examples have none.

The id in an example stands for one of yours: in what is sent from this page, the newest of your payments that fits
takes its place.
"""

SECURITY: dict[str, SecurityScheme | dict[str, Any]] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key, or a token of your identity provider."}
}

_PAGE_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self' data:; connect-src 'self'"
)

# What would call home or sell something is off; the policy above stops the rest.
_PAGE_SETTINGS = {
    "withDefaultFonts": False,
    "telemetry": False,
    "hideClientButton": True,
    "showDeveloperTools": "never",
    "agent": {"disabled": True},
    "mcp": {"disabled": True},
    "authentication": {"preferredSecurityScheme": "bearer"},
}


def servers(public_base_url: str) -> list[Server | dict[str, Any]]:
    """Say where the API is: where the document came from, by whatever name, and by its public one."""
    return [
        Server(url="/", description="where this document comes from"),
        Server(url=public_base_url, description="by its public name"),
    ]


def register(app: OpenAPI) -> None:
    """Serve the document and the page."""
    app.config["SCALAR_CONFIG"] = _PAGE_SETTINGS
    page = RegisterPlugin.register(doc_url="openapi.json")
    script = _script(Path(page.static_folder or "") / "js" / "scalar.standalone.js")
    app.config["SCALAR_HTML_STRING"] = _template(script)
    page.after_request(_stay_home)
    app.register_blueprint(page, url_prefix="/docs")
    # Before the page's own files, which Flask opens anew for each who reads.
    app.add_url_rule("/docs/scalar/js/scalar.standalone.js", "docs_script", script.respond)

    @cache
    def kept() -> Asset:
        text = dumps(document(app))
        return Asset(body=text.encode(), media_type="application/json", cache_control=ASK_AGAIN)

    app.add_url_rule("/openapi.json", "openapi_document", lambda: kept().respond())
    app.add_url_rule("/docs/openapi.json", "openapi_document_beside_page", lambda: kept().respond())
    app.add_url_rule("/docs", "docs", _to_page, strict_slashes=False)
    app.add_url_rule("/", "root", _to_page)
    problems.register(app)


@cache
def _script(path: Path) -> Asset:
    return Asset(body=path.read_bytes(), media_type="text/javascript; charset=utf-8", cache_control=FOR_EVER)


def _template(script: Asset) -> str:
    # The plugin's own page has neither a language nor a name, and knows no id of whoever reads it.
    here = Path(__file__).parent
    page, own_ids = ((here / name).read_text(encoding="utf-8") for name in ("page.html", "own_ids.js"))
    filled = page.replace("{{ own_ids }}", f"{{% raw %}}{own_ids}{{% endraw %}}")
    return filled.replace("{{ script_digest }}", script.digest)


def _to_page() -> AnyResponse:
    return redirect("/docs/scalar")


def _stay_home(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = _PAGE_POLICY
    response.headers["Cache-Control"] = "public, max-age=3600"
    return response


# A few routes answer in several media types, and flask-openapi documents one.
_EXPORTS = {
    "/api/v1/ledger": ("text/csv", "text/plain"),
    "/api/v1/reconciliation/findings": ("text/csv",),
}


def document(app: OpenAPI) -> dict[str, Any]:
    """Return the OpenAPI document, with every media type, problem and header that is really sent."""
    spec: dict[str, Any] = app.api_doc
    describe(app, spec)
    for path, media_types in _EXPORTS.items():
        content = spec["paths"][path]["get"]["responses"]["200"]["content"]
        content.update({media_type: {"schema": {"type": "string"}} for media_type in media_types})
    spec["webhooks"] = webhooks()
    return spec
