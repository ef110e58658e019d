"""`order`: what is to be paid, set by the merchant."""

from typing import Annotated, Any

import typer
from sqlalchemy import select
from sqlalchemy.orm import Session

from payproc.application import Application
from payproc.cli.people.users import find_user, named_user
from payproc.cli.terminal.edge import Json, Limit, application, line_if_any, moment, transaction
from payproc.cli.terminal.rendering import show_item, show_list
from payproc.database.models import Order, Role, User
from payproc.domain.languages import Locale
from payproc.domain.money import parse_major
from payproc.domain.payment_methods import PaymentMethod
from payproc.domain.requests.customer import CustomerRequest
from payproc.domain.requests.order import OrderRequest
from payproc.errors import InvalidRequest
from payproc.flows.orders import make_order
from payproc.outgoing import pay_links
from payproc.records import orders
from payproc.records.identity.customers import named_customer

app = typer.Typer(no_args_is_help=True)


@app.command()
def create(  # noqa: PLR0913 (each is an option of the command)
    *,
    amount: Annotated[str, typer.Option(help="In major units, such as 19.99.")],
    currency: Annotated[str, typer.Option(help="Three letters, such as usd.")],
    email: Annotated[str | None, typer.Option(help="Who is to pay, where you know it: receipts go there.")] = None,
    name: Annotated[str | None, typer.Option(callback=line_if_any, help="Who that is.")] = None,
    locale: Annotated[Locale | None, typer.Option(help="The language they are written to in.")] = None,
    shop: Annotated[str | None, typer.Option(help="Whose order it is: a shop's address or id.")] = None,
    reference: Annotated[str | None, typer.Option(callback=line_if_any, help="Your own number of the order.")] = None,
    description: Annotated[
        str | None, typer.Option(callback=line_if_any, help="What it is for; the customer reads it.")
    ] = None,
    method: Annotated[list[str] | None, typer.Option(help="How it may be paid, once for each; else by all.")] = None,
    expires: Annotated[str | None, typer.Option(help="Until when, such as 2026-01-31T23:59:59+05:00.")] = None,
    link: Annotated[bool, typer.Option("--link", help="Print the address of its page, and nothing else.")] = False,
    json: Json = False,
) -> None:
    """Write an order down; its page lets whoever has the link pay it."""
    wanted = OrderRequest(
        money=parse_major(amount, currency),
        reference=reference,
        description=description or "",
        methods=[PaymentMethod(each) for each in method] if method else None,
        expires_at=moment(expires, "--expires") if expires else None,
    )
    with application() as core:
        with core.database.transaction() as session:
            maker = _shop(session, shop) if shop else None
            payer = _payer(core, session, email, name=name, locale=locale, shop=maker)
            order = make_order(core, session, wanted, payer=payer, by=maker)
        pay_url = pay_links.url_of(core.settings, order.id)
    if link:
        typer.echo(pay_url)
    else:
        show_item(_row(order) | {"pay_url": pay_url}, json=json)


def _shop(session: Session, named: str) -> User:
    user = named_user(session, named)
    if user.role is not Role.SHOP:
        raise InvalidRequest(f"{user.email} is {user.role}, and no shop: `user create --role shop` makes one.")
    return user


def _payer(
    core: Application,
    session: Session,
    email: str | None,
    *,
    name: str | None,
    locale: Locale | None,
    shop: User | None,
) -> User:
    if email is None:
        if shop is None:
            raise InvalidRequest("Say whose order it is: --shop, or --email of its customer.")
        return shop
    if shop is None and (known := find_user(session, email)) is not None:
        return known
    wanted = CustomerRequest(email=email, name=name, locale=locale)
    return named_customer(session, wanted, by=shop, cipher=core.payer_cipher)


@app.command("list")
def list_orders(*, limit: Limit = 20, json: Json = False) -> None:
    """List orders, newest first."""
    with transaction() as session:
        query = select(Order).order_by(Order.created_at.desc(), Order.id.desc())
        found = list(session.scalars(query.limit(limit + 1)))
    columns = ("id", "reference", "money", "status", "user_id", "opened_at", "created_at")
    show_list("orders", [_row(o) for o in found[:limit]], columns=columns, more=len(found) > limit, json=json)


@app.command()
def show(name: Annotated[str, typer.Argument(metavar="ID_OR_REFERENCE")], *, json: Json = False) -> None:
    """Show an order, its page and its payments."""
    with application() as core:
        with core.database.transaction() as session:
            order = orders.named_order(session, name)
            payments = [f"{each.id} {each.payment_method} {each.status}" for each in orders.payments_of(session, order)]
        row = _row(order) | {"pay_url": pay_links.url_of(core.settings, order.id), "payments": payments}
    show_item(row, json=json)


@app.command()
def close(name: Annotated[str, typer.Argument(metavar="ID_OR_REFERENCE")], *, json: Json = False) -> None:
    """End an order that nobody has paid; what of it is open is called off."""
    with transaction() as session:
        order = orders.close(session, orders.named_order(session, name).id)
    show_item(_row(order), json=json)


def _row(order: Order) -> dict[str, Any]:
    return {
        "id": order.id,
        "reference": order.reference,
        "money": str(order.money),
        "amount_minor": order.amount_minor,
        "currency": order.currency,
        "status": order.status,
        "description": order.description,
        "user_id": order.user_id,
        "shop_id": order.shop_id,
        "methods": order.methods,
        "expires_at": order.expires_at,
        "opened_at": order.opened_at,
        "created_at": order.created_at,
    }
