"""`payment`: attempts to be paid, and why each is as it is."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Annotated, Any

import typer
from sqlalchemy.orm import Session

from payproc import jobs
from payproc.cli.terminal.edge import ADMIN, Id, Json, Limit, application, transaction
from payproc.cli.terminal.rendering import show_document, show_item, show_list, show_table
from payproc.database.models import Payment
from payproc.domain.states import PaymentStatus
from payproc.flows.cancel import request_cancel
from payproc.flows.provider_requests import payment_ref
from payproc.operations import actions, timeline
from payproc.operations.decline_reasons import decline_reason
from payproc.operations.finding import lists
from payproc.operations.refund_balances import RefundBalance, refund_balances
from payproc.records import payments

app = typer.Typer(no_args_is_help=True)


@app.command()
def show(payment_id: Id, *, json: Json = False) -> None:
    """Show a payment and everything on record about it, oldest first."""
    with transaction() as session:
        payment = payments.visible_payment(session, payment_id, user=ADMIN)
        entries = timeline.timeline(session, payment)
        balance = refund_balances(session, [payment])[payment.id]
    details = _details(payment) | _refunded(balance)
    if json:
        show_document(details | {"timeline": [_entry(entry) for entry in entries]})
        return
    show_item(details, json=False)
    columns = ("at", "what", "sentence", "evidence")
    show_table(columns, ([getattr(entry, column) for column in columns] for entry in entries))


@app.command("list")
def list_payments(
    *,
    status: Annotated[PaymentStatus | None, typer.Option()] = None,
    q: Annotated[str | None, typer.Option(help="Any id, receipt, e-mail, phone, last four digits, or amount.")] = None,
    customer: Annotated[str | None, typer.Option(help="Whose, by id.")] = None,
    order: Annotated[str | None, typer.Option(help="Of which order, by id.")] = None,
    limit: Limit = 20,
    json: Json = False,
) -> None:
    """List payments, newest first, or those that may be meant by what somebody has in hand."""
    wanted = lists.Filter(status=status, text=q, customer_id=customer, order_id=order)
    with _searching(wanted) as (session, wanted):
        page = lists.page_of_payments(session, wanted, user=ADMIN, limit=limit)
    columns = ("id", "status", "money", "payment_method", "reference", "created_at")
    rows = [_row(payment) for payment in page.payments]
    show_list("payments", rows, columns=columns, more=page.next_cursor is not None, json=json)


@contextmanager
def _searching(wanted: lists.Filter) -> Iterator[tuple[Session, lists.Filter]]:
    """Open a transaction. Only who searches needs SECRET_KEY: a phone is looked up by a hash under it."""
    if wanted.text is None:
        with transaction() as session:
            yield session, wanted
        return
    with application() as core, core.database.transaction() as session:
        yield session, replace(wanted, phones=core.phone_hasher)


@app.command()
def inquire(payment_id: Id, *, json: Json = False) -> None:
    """Ask the provider how an open payment stands, as soon as a worker is free."""
    with transaction() as session:
        payment = payments.visible_payment(session, payment_id, user=ADMIN)
        staged = actions.ask_again(session, payment)
    show_item({"id": payment.id, "status": payment.status, "staged": staged}, json=json)


@app.command()
def cancel(payment_id: Id, *, json: Json = False) -> None:
    """Call an open payment off, as soon as a worker is free. It may turn out to have been paid."""
    with application() as core, core.database.transaction() as session:
        payment = request_cancel(core, session, payment_id, user=ADMIN)
    show_item({"id": payment.id, "status": payment.status, "staged": jobs.Kind.CANCEL_PAYMENT}, json=json)


def _row(payment: Payment) -> dict[str, Any]:
    return {
        "id": payment.id,
        "status": payment.status,
        "money": str(payment.money),
        "amount_minor": payment.amount_minor,
        "currency": payment.currency,
        "payment_method": payment.payment_method,
        "reference": payment.reference,
        "order_id": payment.order_id,
        "user_id": payment.user_id,
        "created_at": payment.created_at,
    }


def _entry(entry: timeline.Entry) -> dict[str, Any]:
    shown = asdict(entry)
    del shown["for_customer"]
    return shown | {"from": shown.pop("from_status"), "to": shown.pop("to_status")}


def _refunded(balance: RefundBalance) -> dict[str, Any]:
    return {
        "amount_refunded_minor": balance.refunded.amount_minor,
        "amount_refundable_minor": balance.refundable.amount_minor,
    }


def _details(payment: Payment) -> dict[str, Any]:
    ids = {reference.value: value for reference, value in payment_ref(payment).references.items()}
    return (
        _row(payment)
        | ids
        | {
            "dialect": payment.dialect,
            "phone": payment.phone,
            "provider_receipt": payment.provider_receipt,
            "description": payment.description,
            "live_mode": payment.live_mode,
            "environment": payment.environment,
            "next_action": payment.next_action,
            "decline_reason": decline_reason(payment),
            "failure_code": payment.failure_code,
            "failure_message": payment.failure_message,
            "expires_at": payment.expires_at,
            "updated_at": payment.updated_at,
            "completed_at": payment.completed_at,
        }
    )
