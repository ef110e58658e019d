"""A payment's timeline."""

from flask import render_template

from payproc.operations.timeline import timeline
from payproc.records import payments
from web.auth import application, current_user
from web.console import formatting


def page(payment_id: str) -> str:
    """Show a payment's timeline: what the API has, for a browser that has no token to send it."""
    with application().database.transaction() as session:
        found = payments.visible_payment(session, payment_id, user=current_user())
        entries = timeline(session, found)
    amount = found.money
    return render_template("console/payment.html", payment=found, amount=amount, entries=entries, formatting=formatting)
