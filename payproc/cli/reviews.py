"""`review`: questions for a person, and the person's answers."""

from typing import Annotated, Any

import typer
from sqlalchemy import select

from payproc.cli.terminal.edge import Id, Json, Limit, line, transaction
from payproc.cli.terminal.rendering import show_item, show_list
from payproc.database.models import Review
from payproc.operations import actions
from payproc.operations.actions import OperatorAction

app = typer.Typer(no_args_is_help=True)


@app.command("list")
def list_reviews(
    *,
    every: Annotated[bool, typer.Option("--all", help="The answered ones too.")] = False,
    limit: Limit = 20,
    json: Json = False,
) -> None:
    """List the open questions, newest first."""
    query = select(Review).order_by(Review.opened_at.desc(), Review.id.desc()).limit(limit + 1)
    if not every:
        query = query.where(Review.resolved_at.is_(None))
    with transaction() as session:
        found = list(session.scalars(query))
    columns = ("id", "kind", "subject", "detail", "opened_at", "resolution")
    show_list("reviews", [_row(r) for r in found[:limit]], columns=columns, more=len(found) > limit, json=json)


@app.command()
def resolve(
    review_id: Id,
    *,
    resolution: Annotated[str, typer.Option(callback=line, help="Why, for those who ask later.")],
    decision: Annotated[
        OperatorAction | None, typer.Option("--as", help="What becomes of the payment or the refund.")
    ] = None,
    json: Json = False,
) -> None:
    """Answer a question. Without --as an open payment goes back to being asked about; a refund needs it."""
    with transaction() as session:
        review, payment = actions.resolve_review(session, review_id, resolution=resolution, decision=decision)
    show_item(_row(review) | {"payment_status": payment.status if payment else None}, json=json)


def _row(review: Review) -> dict[str, Any]:
    return {
        "id": review.id,
        "kind": review.kind,
        "subject": review.subject,
        "payment_id": review.payment_id,
        "detail": review.detail,
        "opened_at": review.opened_at,
        "resolved_at": review.resolved_at,
        "resolution": review.resolution,
    }
