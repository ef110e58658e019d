"""`dispute`: what customers' banks ask back."""

from typing import Annotated, Any

import typer

from payproc.cli.terminal.edge import ADMIN, Json, Limit, transaction
from payproc.cli.terminal.rendering import show_list
from payproc.database.models import Dispute
from payproc.records import disputes

app = typer.Typer(no_args_is_help=True)


@app.callback()
def about() -> None:
    """List what customers' banks ask back; it is answered in the provider's dashboard."""


@app.command("list")
def list_disputes(
    *,
    payment_id: Annotated[str | None, typer.Option("--payment", help="Only those of one payment.")] = None,
    is_open: Annotated[
        bool | None, typer.Option("--open/--closed", help="Only those still open, or only the closed ones.")
    ] = None,
    limit: Limit = 20,
    json: Json = False,
) -> None:
    """List disputes, newest first."""
    with transaction() as session:
        page = disputes.page_of_disputes(
            session, user=ADMIN, payment_id=payment_id, is_open=is_open, limit=limit, cursor=None
        )
    columns = ("provider_dispute_id", "payment_id", "status", "money", "reason", "evidence_due_at")
    rows = [_row(dispute) for dispute in page.disputes]
    show_list("disputes", rows, columns=columns, more=page.next_cursor is not None, json=json)


def _row(dispute: Dispute) -> dict[str, Any]:
    return {
        "id": dispute.id,
        "provider": dispute.provider,
        "provider_dispute_id": dispute.provider_dispute_id,
        "payment_id": dispute.payment_id,
        "status": dispute.status,
        "money": str(dispute.money),
        "amount_minor": dispute.amount_minor,
        "currency": dispute.currency,
        "reason": dispute.reason,
        "charge_refundable": dispute.charge_refundable,
        "evidence_due_at": dispute.evidence_due_at,
        "created_at": dispute.created_at,
        "closed_at": dispute.closed_at,
    }
