"""`ledger`: what the books say, at any time, and an export of how they came to it."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import typer

from payproc.cli.terminal.edge import Json, moment, transaction
from payproc.cli.terminal.rendering import show_document, show_list
from payproc.errors import InvalidRequest
from payproc.records.ledger.exports import WRITERS, ExportFormat
from payproc.records.ledger.journal import Balance, balances, entries


class Shape(StrEnum):
    """What the books are shown as."""

    TABLE = "table"
    CSV = ExportFormat.CSV
    BEANCOUNT = ExportFormat.BEANCOUNT


def ledger(
    *,
    at: Annotated[str | None, typer.Option(metavar="TIME", help="Until when, such as 2026-01-31T23:59:59Z.")] = None,
    shape: Annotated[Shape, typer.Option("--format", help="Balances, or every entry for another program.")] = (
        Shape.TABLE
    ),
    json: Json = False,
) -> None:
    """Show what stands on each account (a debit is positive), or export every entry."""
    until = None if at is None else moment(at, "--at")
    if shape is not Shape.TABLE and json:
        raise InvalidRequest(f"--json shows balances: leave it out, or --format {shape}.")
    if shape is not Shape.TABLE:
        _export(ExportFormat(shape), until)
        return
    with transaction() as session:
        rows = [_row(balance) for balance in balances(session, at=until)]
    if json:
        show_document({"at": until, "balances": rows})
        return
    show_list("balances", rows, columns=("account", "provider", "currency", "money"), more=False, json=False)


def _export(export_format: ExportFormat, until: datetime | None) -> None:
    with transaction() as session:
        for piece in WRITERS[export_format](entries(session, at=until)):
            typer.echo(piece, nl=False)


def _row(balance: Balance) -> dict[str, Any]:
    return {
        "account": balance.account,
        "provider": balance.provider,
        "currency": balance.money.currency.code,
        "amount_minor": balance.money.amount_minor,
        "money": str(balance.money),
    }
