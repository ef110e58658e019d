"""A shop on payproc: `flask --app shop run`, with PAYPROC_URL, PAYPROC_KEY, WEBHOOK_SECRET and SHOP_URL set."""

import os
import secrets

from flask import Flask, redirect, request
from payproc_client import Payproc, Webhook, WebhookRefused

app = Flask(__name__)
payproc = Payproc(os.environ["PAYPROC_URL"], os.environ["PAYPROC_KEY"])
sent = set()  # where a real shop has its database


@app.get("/")
def shop():
    return '<form method="post" action="/buy"><button>Two mangoes, Rs 1,250.50</button></form>'


@app.post("/buy")
def buy():
    reference = f"flask-{secrets.token_hex(6)}"
    order = payproc.orders.create(
        reference=reference, amount="1250.50", currency="pkr", description="Two mangoes",
        customer={"email": "amina@example.com", "name": "Amina Khan"},
        success_url=f"{os.environ['SHOP_URL']}/thanks?order={reference}",
    )  # fmt: skip
    return redirect(order["pay_url"], 303)


@app.post("/hook")  # the one place where goods are let go, once for each order
def hook():
    try:
        event = Webhook.verify(request.get_data(), request.headers, os.environ["WEBHOOK_SECRET"])
    except WebhookRefused as refused:
        return str(refused), 400
    if event["type"] == "order.paid":
        sent.add(event["data"]["reference"])
    return ""


@app.get("/thanks")  # arriving here proves nothing: the shop looks for itself
def thanks():
    reference = request.args["order"]
    return f"Thank you! {reference} is on its way." if reference in sent else f"We wait to hear of {reference}."


@app.post("/refund")
def refund():
    order = payproc.orders.get(request.form["order"])
    paid = next(each for each in order["payments"] if each["status"] == "completed")
    return payproc.payments.refund(paid["payment_id"], reason="unripe")["status"]
