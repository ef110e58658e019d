"""The Flask application, made from an application of the core."""

from typing import Any

from flask import Flask, Response, request
from flask_openapi.models.info import Info
from flask_openapi.openapi import OpenAPI
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, UnsupportedMediaType
from werkzeug.middleware.proxy_fix import ProxyFix

from payproc import __version__
from payproc.application import Application
from payproc.errors import InvalidRequest
from payproc.providers.registry import PROVIDERS
from payproc.providers.stripe import STRIPE
from payproc.records.identity.jwks import SigningKeys
from web import docs, errors
from web.api import customers, disputes, events, notices, orders, payments, refunds, wallets, webhooks
from web.api.intake import Intake
from web.api.staff import health, ledger, metrics, reconciliation
from web.auth import application
from web.console import site as console
from web.json import ExactJson
from web.pay import logo
from web.pay import site as pay
from web.request import limits
from web.request import log as request_log
from web.request.address import Request
from web.schemas.problem import Problem

_JSON_ENDPOINTS = frozenset(
    {
        "payments.checkout",
        "refunds.refund",
        "orders.create",
        "webhooks.create",
        "webhooks.change",
        "webhooks.replay_span",
    }
)
# More than any body of ours; Stripe's events are a few kilobytes.
_LARGEST_BODY = 1024 * 1024


class Web(OpenAPI):
    """Flask with OpenAPI, and JSON in which numbers stay exact."""

    json_provider_class = ExactJson


def create_app(core: Application) -> Flask:
    """Make the WSGI application."""
    web = Web(
        "payproc",
        info=Info(title="payproc", version=__version__, description=docs.DESCRIPTION),
        servers=docs.servers(core.settings.public_base_url),
        security_schemes=docs.SECURITY,
        validation_error_callback=errors.invalid_fields,
        validation_error_model=Problem,
        doc_ui=False,
        static_folder=None,
    )
    # Tools that read 3.2 are few yet; nothing of ours needs more than 3.1.
    web.openapi_version = "3.1.1"
    web.request_class = Request
    web.config["MAX_CONTENT_LENGTH"] = _LARGEST_BODY
    hops = core.settings.forwarded_hops
    if hops:
        # How many proxies stand before us is the merchant's word: any client can write X-Forwarded-For.
        web.wsgi_app = ProxyFix(web.wsgi_app, x_for=hops, x_proto=hops, x_host=0)  # type: ignore[method-assign]  # Flask's own way to wrap it
    intake = Intake(core, web.wsgi_app)
    web.wsgi_app = intake  # type: ignore[method-assign]  # as above
    # The front asks for it by this name.
    web.extensions["intake"] = intake
    web.extensions["payproc"] = core
    keys_url = core.settings.jwt_jwks_url
    web.extensions["signing_keys"] = SigningKeys(keys_url) if keys_url else None
    # With and without the slash at its end an address is the same one; a redirect would lose a POST's body.
    web.url_map.strict_slashes = False
    errors.register(web)
    # First of all: whatever refuses a request later on, its line is about this one.
    request_log.register(web)
    limits.register(web, core.settings)
    web.before_request(_check_body)
    web.after_request(_add_headers)
    _register_views(web, core)
    docs.register(web)
    for probe in (health, metrics):
        probe.register(web, core)
    return web


def _register_views(web: Web, core: Application) -> None:
    methods = list({**PROVIDERS, **core.providers})
    others = [method for method in methods if method != STRIPE]
    for blueprint in (
        payments.blueprint,
        refunds.blueprint,
        disputes.blueprint,
        orders.blueprint,
        customers.blueprint,
        webhooks.blueprint,
        webhooks.deliveries_blueprint,
        events.blueprint,
        wallets.blueprint_of(others),
        notices.blueprint_of(others, hints_per_minute=core.settings.hints_per_minute),
        ledger.blueprint,
        reconciliation.blueprint,
        health.blueprint,
        metrics.blueprint,
    ):
        web.register_api(blueprint)
    web.register_blueprint(pay.blueprint)
    logo.register(web, core.settings)
    web.register_blueprint(console.blueprint)


def _check_body() -> None:
    # Werkzeug counts only what a view reads, and not every view reads.
    if (request.content_length or 0) > _LARGEST_BODY:
        raise RequestEntityTooLarge
    if request.method in ("POST", "PATCH") and (request.endpoint in _JSON_ENDPOINTS or request.blueprint == "wallets"):
        _require_json()


def _require_json() -> None:
    if not request.is_json:
        raise UnsupportedMediaType("Send application/json.")
    # Malformed JSON is 400 here; left to the schema it would look like a missing body.
    try:
        body = request.get_json()
    except BadRequest:
        raise BadRequest("The body is not JSON that can be read one way only.") from None
    # flask-openapi would read a JSON string's text as JSON once more, past the strict reader.
    if not isinstance(body, dict):
        raise InvalidRequest("The body must be a JSON object.")


def _add_headers(response: Response) -> Response:
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers.setdefault("Cache-Control", "no-store")
    _allow_origin(response)
    return response


def _allow_origin(response: Response) -> None:
    origin = request.headers.get("Origin")
    if origin is None or origin not in application().settings.cors_origins:
        return
    allowed: dict[str, Any] = {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Headers": "Authorization, Content-Type, Idempotency-Key, Prefer, X-Request-Id",
        "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
        "Access-Control-Expose-Headers": (
            "Location, Idempotent-Replayed, Retry-After, RateLimit, RateLimit-Policy, X-Request-Id"
        ),
        "Access-Control-Max-Age": "600",
    }
    response.headers.update(allowed)
    response.vary.add("Origin")
