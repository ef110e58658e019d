"""The plain service: what the documents of Flask, SQLAlchemy, Celery and Stripe show, put together.

No ledger, no inbox, no idempotency; what Redis loses is lost.
"""

import hashlib
import os
from types import SimpleNamespace

import stripe
from flask import Flask, Response, abort, jsonify, request
from sqlalchemy import select

from tests.bench.form import signed_form
from tests.bench.plain import models
from tests.bench.plain.models import ApiKey, Payment, User
from tests.bench.plain.tasks import complete_payment

models.connect()
app = Flask(__name__)
# What the front asks of an application.
app.extensions["payproc"] = SimpleNamespace(settings=SimpleNamespace(forwarded_hops=1))

_PAYMENTS = "/api/v1/payments"
_SECRET = os.environ["STRIPE_WEBHOOK_SECRET"]
_SALT = os.environ["JAZZ_CASH_INTEGRITY_SALT"]


@app.teardown_appcontext
def _remove_session(_: BaseException | None) -> None:
    models.session.remove()


@app.get("/healthz")
def healthz() -> Response:
    return jsonify({})


@app.post(f"{_PAYMENTS}/webhook/stripe")
def webhook() -> Response:
    try:
        event = stripe.Webhook.construct_event(request.data, request.headers["Stripe-Signature"], _SECRET)
    except (ValueError, stripe.SignatureVerificationError):
        abort(400)
    if event["type"] == "checkout.session.completed":
        complete_payment.delay(event["data"]["object"]["metadata"]["payment_id"])
    return jsonify(received=True)


@app.get(f"{_PAYMENTS}/<payment_id>")
def show(payment_id: str) -> Response:
    user = _caller()
    payment = models.session.scalars(select(Payment).filter_by(id=payment_id, user_id=user.id)).one_or_none()
    if payment is None:
        abort(404)
    return jsonify(_shown(payment))


@app.post(f"{_PAYMENTS}/jazz-cash/initiate")
def initiate() -> tuple[Response, int]:
    user = _caller()
    asked = request.get_json()
    amount_minor = round(asked["amount"] * 100)
    payment = Payment(user=user, amount_minor=amount_minor, currency="pkr", description=asked["description"])
    models.session.add(payment)
    models.session.commit()
    form = signed_form(payment.id, payment.amount_minor, payment.description, salt=_SALT)
    return jsonify(_shown(payment) | {"payload": form}), 201


def _caller() -> User:
    key = request.headers.get("Authorization", "").removeprefix("Bearer ")
    found = models.session.scalars(select(ApiKey).filter_by(hash=hashlib.sha256(key.encode()).digest())).one_or_none()
    if found is None:
        abort(401)
    return found.user


def _shown(payment: Payment) -> dict[str, object]:
    return {
        "payment_id": payment.id,
        "amount_minor": payment.amount_minor,
        "currency": payment.currency,
        "status": payment.status,
        "description": payment.description,
    }
