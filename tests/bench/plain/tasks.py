"""The plain service's Celery: a task completes the payment, a second one sends its receipt."""

import os
import smtplib
from email.message import EmailMessage

from celery import Celery
from celery.signals import task_postrun, worker_process_init

from tests.bench.plain import models
from tests.bench.plain.models import Payment

celery = Celery("plain", broker=os.environ["BROKER_URL"])
celery.conf.task_ignore_result = True


@worker_process_init.connect
def _connect(**_: object) -> None:
    models.connect()


@task_postrun.connect
def _remove_session(**_: object) -> None:
    models.session.remove()


@celery.task
def complete_payment(payment_id: str) -> None:
    payment = models.session.get(Payment, payment_id)
    if payment is None:
        return
    payment.status = "completed"
    models.session.commit()
    send_receipt.delay(payment_id)


@celery.task
def send_receipt(payment_id: str) -> None:
    payment = models.session.get_one(Payment, payment_id)
    message = EmailMessage()
    message["Subject"] = "Your receipt"
    message["From"] = "shop@example.com"
    message["To"] = payment.user.email
    message.set_content(f"We received {payment.amount_minor / 100:.2f} {payment.currency} for {payment.description}.")
    with smtplib.SMTP("127.0.0.1", int(os.environ["SMTP_PORT"])) as server:
        server.send_message(message)
