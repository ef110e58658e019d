"""`notice`: what providers told us, kept as it came."""

import json as decoder
from typing import Annotated, Any

import typer
from sqlalchemy import select

from payproc import jobs
from payproc.cli.terminal.edge import Id, Json, Limit, find, transaction
from payproc.cli.terminal.rendering import show_document, show_item, show_list, show_text
from payproc.database.models import Notice, NoticeState
from payproc.flows.inbox import apply

app = typer.Typer(no_args_is_help=True)


@app.command("list")
def list_notices(
    *, state: Annotated[NoticeState | None, typer.Option()] = None, limit: Limit = 20, json: Json = False
) -> None:
    """List notices, newest first."""
    query = select(Notice).order_by(Notice.received_at.desc(), Notice.id.desc()).limit(limit + 1)
    if state is not None:
        query = query.where(Notice.state == state)
    with transaction() as session:
        found = list(session.scalars(query))
    columns = ("id", "provider", "kind", "key", "state", "payment_id", "received_at")
    show_list("notices", [_row(n) for n in found[:limit]], columns=columns, more=len(found) > limit, json=json)


@app.command()
def show(notice_id: Id, *, json: Json = False) -> None:
    """Show a notice with its headers and body."""
    with transaction() as session:
        notice = find(session, Notice, notice_id, noun="notice")
    body = _body(notice)
    if json:
        show_document(_row(notice) | {"headers": notice.headers, "body": body})
        return
    show_item(_row(notice) | notice.headers, json=False)
    show_text(body if isinstance(body, str) else decoder.dumps(body, indent=2, ensure_ascii=False))


@app.command()
def replay(notice_id: Id, *, json: Json = False) -> None:
    """Apply a notice once more, as if it had just come. Applying twice changes nothing twice."""
    with transaction() as session:
        find(session, Notice, notice_id, noun="notice")
        notice = apply.replay_notice(session, notice_id)
    show_item({"id": notice.id, "state": notice.state, "staged": jobs.Kind.APPLY_NOTICE}, json=json)


def _body(notice: Notice) -> Any:  # noqa: ANN401 (whatever JSON a provider sent)
    try:
        return decoder.loads(notice.body)
    except (ValueError, RecursionError):
        return notice.body.decode("utf-8", errors="replace")


def _row(notice: Notice) -> dict[str, Any]:
    return {
        "id": notice.id,
        "provider": notice.provider,
        "kind": notice.kind,
        "key": notice.key,
        "state": notice.state,
        "reason": notice.reason,
        "payment_id": notice.payment_id,
        "received_at": notice.received_at,
        "replayed_at": notice.replayed_at,
        "settled_at": notice.settled_at,
    }
