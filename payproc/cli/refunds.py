"""`refund`: money given back, or asked to be."""

from typing import Annotated, Any

import typer
from sqlalchemy import select

from payproc.cli.terminal.edge import ADMIN, Id, Json, Limit, transaction
from payproc.cli.terminal.rendering import show_item, show_list
from payproc.database.models import Refund
from payproc.domain.states import RefundStatus
from payproc.records import refunds

app = typer.Typer(no_args_is_help=True)


@app.command("list")
def list_refunds(
    *, status: Annotated[RefundStatus | None, typer.Option()] = None, limit: Limit = 20, json: Json = False
) -> None:
    """List refunds, newest first."""
    query = select(Refund).order_by(Refund.created_at.desc(), Refund.id.desc()).limit(limit + 1)
    if status is not None:
        query = query.where(Refund.status == status)
    with transaction() as session:
        found = list(session.scalars(query))
    columns = ("id", "payment_id", "status", "money", "reason", "created_at")
    show_list("refunds", [_row(r) for r in found[:limit]], columns=columns, more=len(found) > limit, json=json)


@app.command()
def show(refund_id: Id, *, json: Json = False) -> None:
    """Show a refund; `payment show` tells its story."""
    with transaction() as session:
        refund = refunds.visible_refund(session, refund_id, user=ADMIN)
    show_item(_row(refund), json=json)


def _row(refund: Refund) -> dict[str, Any]:
    return {
        "id": refund.id,
        "payment_id": refund.payment_id,
        "status": refund.status,
        "money": str(refund.money),
        "amount_minor": refund.amount_minor,
        "currency": refund.currency,
        "reason": refund.reason,
        "requested_by": refund.requested_by,
        "provider_refund_id": refund.provider_refund_id,
        "pending_reason": refund.pending_reason,
        "failure_code": refund.failure_code,
        "failure_message": refund.failure_message,
        "created_at": refund.created_at,
        "settled_at": refund.settled_at,
    }
