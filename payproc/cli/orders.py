"""`order`: what is to be paid, set by the merchant."""

from typing import Annotated, Any

import typer
from sqlalchemy import select

from payproc.cli.people.users import named_user
from payproc.cli.terminal.edge import Json, Limit, line, transaction
from payproc.cli.terminal.rendering import show_item, show_list
from payproc.database.models import Order
from payproc.domain.money import parse_major
from payproc.records import orders

app = typer.Typer(no_args_is_help=True)


@app.command()
def create(
    *,
    email: Annotated[str, typer.Option(help="Whose order it is: an address or an id.")],
    reference: Annotated[str, typer.Option(callback=line, help="Your own number of the order.")],
    amount: Annotated[str, typer.Option(help="In major units, such as 19.99.")],
    currency: Annotated[str, typer.Option(help="Three letters, such as usd.")],
    json: Json = False,
) -> None:
    """Write an order down."""
    money = parse_major(amount, currency)
    with transaction() as session:
        order = orders.create_order(session, named_user(session, email), reference=reference, money=money)
        session.refresh(order)
    show_item(_row(order), json=json)


@app.command("list")
def list_orders(*, limit: Limit = 20, json: Json = False) -> None:
    """List orders, newest first."""
    with transaction() as session:
        query = select(Order).order_by(Order.created_at.desc(), Order.id.desc())
        found = list(session.scalars(query.limit(limit + 1)))
    columns = ("id", "reference", "money", "status", "user_id", "created_at")
    show_list("orders", [_row(o) for o in found[:limit]], columns=columns, more=len(found) > limit, json=json)


def _row(order: Order) -> dict[str, Any]:
    return {
        "id": order.id,
        "reference": order.reference,
        "money": str(order.money),
        "amount_minor": order.amount_minor,
        "currency": order.currency,
        "status": order.status,
        "user_id": order.user_id,
        "created_at": order.created_at,
    }
