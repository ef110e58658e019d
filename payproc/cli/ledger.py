"""`ledger`: what the books say, an export of how they came to it, and journals by hand, which two people make."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import typer
from sqlalchemy.orm import Session

from payproc.cli.terminal.edge import ADMIN, Id, Json, Limit, find, line, moment, transaction, written
from payproc.cli.terminal.rendering import show_document, show_item, show_list
from payproc.database.models import Account, LedgerDraft, User
from payproc.domain.money import parse_signed_major
from payproc.errors import InvalidRequest
from payproc.operations.books import approve_draft
from payproc.records import payments
from payproc.records.ledger import drafts
from payproc.records.ledger.booking import Posting
from payproc.records.ledger.exports import WRITERS, ExportFormat
from payproc.records.ledger.journal import Balance, balances, entries

# What a side is written as: the account, the amount in major units, the currency.
_SIDE_PARTS = 3

Reason = Annotated[str, typer.Option(callback=line, help="Why, for those who ask later.")]
Document = Annotated[str, typer.Option(callback=line, help="The paper behind it: an invoice, a statement.")]
By = Annotated[str, typer.Option(callback=written, metavar="USER", help="Who does it: an operator or admin.")]

app = typer.Typer()


class Shape(StrEnum):
    """What the books are shown as."""

    TABLE = "table"
    CSV = ExportFormat.CSV
    BEANCOUNT = ExportFormat.BEANCOUNT


@app.callback(invoke_without_command=True)
def ledger(
    context: typer.Context,
    *,
    at: Annotated[str | None, typer.Option(metavar="TIME", help="Until when, such as 2026-01-31T23:59:59Z.")] = None,
    shape: Annotated[Shape, typer.Option("--format", help="Balances, or every entry for another program.")] = (
        Shape.TABLE
    ),
    json: Json = False,
) -> None:
    """Show what stands on each account (a debit is positive), export every entry, or correct the books."""
    if context.invoked_subcommand is not None:
        return
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


@app.command()
def adjust(
    provider: Annotated[str, typer.Argument(callback=written, help="Whose accounts, such as stripe.")],
    sides: Annotated[
        list[str], typer.Option("--side", metavar="SIDE", help='Such as "suspense 100.00 usd"; a credit has a minus.')
    ],
    *,
    reason: Reason,
    document: Document,
    by: By,
    line: Annotated[str | None, typer.Option(help="Which line of the provider's balance it explains.")] = None,
    json: Json = False,
) -> None:
    """Draft a journal, such as one that takes a line out of suspense. Somebody else approves it."""
    postings = [_side(text) for text in sides]
    with transaction() as session:
        draft = drafts.draft_adjustment(
            session, provider, postings, reason=reason, document=document, by=_person(session, by), line_id=line
        )
    show_item(_draft(draft), json=json)


@app.command()
def reverse(key: Id, *, reason: Reason, document: Document, by: By, json: Json = False) -> None:
    """Draft what takes a journal back, by its key in the export. Somebody else approves it."""
    with transaction() as session:
        draft = drafts.draft_reversal(session, key, reason=reason, document=document, by=_person(session, by))
    show_item(_draft(draft), json=json)


@app.command("undo-sale")
def undo_sale(payment_id: Id, *, reason: Reason, document: Document, by: By, json: Json = False) -> None:
    """Draft that a payment was completed wrongly: approved, it is failed and its sale is taken back."""
    with transaction() as session:
        payment = payments.visible_payment(session, payment_id, user=ADMIN)
        person = _person(session, by)
        draft = drafts.draft_undone_sale(session, payment, reason=reason, document=document, by=person)
    show_item(_draft(draft), json=json)


@app.command()
def approve(draft_id: Id, *, by: By, json: Json = False) -> None:
    """Book what somebody else has drafted."""
    with transaction() as session:
        draft = approve_draft(session, draft_id, by=_person(session, by))
    show_item(_draft(draft), json=json)


@app.command("drafts")
def list_drafts(*, limit: Limit = 20, json: Json = False) -> None:
    """List what nobody has approved yet, newest first."""
    with transaction() as session:
        found = drafts.open_drafts(session, limit=limit + 1)
    columns = ("id", "kind", "provider", "postings", "reason", "drafted_by", "drafted_at")
    show_list("drafts", [_draft(d) for d in found[:limit]], columns=columns, more=len(found) > limit, json=json)


def _person(session: Session, user_id: str) -> User:
    return find(session, User, user_id, noun="user")


def _side(text: str) -> Posting:
    parts = text.split()
    if len(parts) != _SIDE_PARTS or parts[0] not in set(Account):
        raise InvalidRequest(f'--side {text} is not an account, an amount and a currency, such as "fees 1.50 usd".')
    return Posting(account=Account(parts[0]), money=parse_signed_major(parts[1], parts[2]))


def _draft(draft: LedgerDraft) -> dict[str, Any]:
    names = ("id", "kind", "provider", "line_id", "payment_id", "reason", "document", "drafted_by", "drafted_at")
    sides = [f"{side['account']} {side['amount_minor']} {side['currency']}" for side in draft.postings]
    booked = {"approved_by": draft.approved_by, "approved_at": draft.approved_at, "journal_id": draft.journal_id}
    return {name: getattr(draft, name) for name in names} | {"postings": ", ".join(sides)} | booked


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
