"""`user` and `key`: who may call, and with what."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any

import typer
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from payproc.cli.terminal.edge import Json, Limit, line, transaction, written
from payproc.cli.terminal.rendering import show_item, show_list
from payproc.database.models import ApiKey, Role, Scope, User
from payproc.domain.languages import Locale
from payproc.errors import Conflict, NotFound
from payproc.records.identity import users

app = typer.Typer(no_args_is_help=True)
keys = typer.Typer(no_args_is_help=True)

_KEY_MARK, _SHOWN = "pp_", 12
# A month of two keys: after that nobody remembers which of them leaked.
_LONGEST_GRACE_HOURS = 31 * 24


class Permission(StrEnum):
    """A scope, as it is typed."""

    READ = "read"
    WRITE = "write"
    METRICS = "metrics"


_SCOPES = {Permission.READ: Scope.READ, Permission.WRITE: Scope.WRITE, Permission.METRICS: Scope.METRICS}


@app.command()
def create(
    *,
    email: Annotated[str, typer.Option()],
    name: Annotated[str, typer.Option(callback=line)],
    role: Annotated[Role, typer.Option()],
    locale: Annotated[Locale, typer.Option(help="The language this user is written to in.")] = Locale.ENGLISH,
    json: Json = False,
) -> None:
    """Make a user and an API key, which is shown this once."""
    with transaction() as session:
        user = users.create_user(session, email=email, name=name, role=role, locale=locale)
        key = users.issue_key(session, user)
    row = {"id": user.id, "email": user.email, "role": user.role, "locale": user.locale, "api_key": key}
    show_item(row, json=json)


@app.command("list")
def list_users(*, limit: Limit = 20, json: Json = False) -> None:
    """List users, newest first."""
    with transaction() as session:
        found = list(session.scalars(select(User).order_by(User.created_at.desc(), User.id.desc()).limit(limit + 1)))
        rows = [_row(user) for user in found[:limit]]
    columns = ("id", "email", "name", "role", "locale", "keys", "created_at")
    show_list("users", rows, columns=columns, more=len(found) > limit, json=json)


@keys.command()
def issue(
    who: Annotated[str, typer.Argument(metavar="EMAIL_OR_ID")],
    *,
    scope: Annotated[
        list[Permission] | None, typer.Option(help="What the key may do, once for each; read and write unless said.")
    ] = None,
    json: Json = False,
) -> None:
    """Make another API key for a user; it is shown this once."""
    scopes = frozenset(_SCOPES[permission] for permission in scope) if scope else users.ALL_SCOPES
    with transaction() as session:
        user = named_user(session, who)
        key = users.issue_key(session, user, scopes=scopes)
    show_item({"id": user.id, "email": user.email, "scopes": sorted(scopes), "api_key": key}, json=json)


@keys.command("list")
def list_keys(
    who: Annotated[str | None, typer.Argument(metavar="[EMAIL_OR_ID]")] = None,
    *,
    limit: Limit = 20,
    json: Json = False,
) -> None:
    """List API keys, newest first, of everybody or of one user; ended ones too, and when each ends."""
    query = select(ApiKey).order_by(ApiKey.created_at.desc(), ApiKey.id.desc()).limit(limit + 1)
    with transaction() as session:
        if who is not None:
            query = query.where(ApiKey.user_id == named_user(session, who).id)
        found = list(session.scalars(query))
        rows = [_key_row(key) for key in found[:limit]]
    columns = ("prefix", "user", "scopes", "created_at", "revoked_at")
    show_list("keys", rows, columns=columns, more=len(found) > limit, json=json)


@keys.command()
def revoke(
    key: Annotated[str, typer.Argument(metavar="PREFIX_OR_ID", callback=written)], *, json: Json = False
) -> None:
    """End an API key by its first characters, its id, or the whole of it."""
    with transaction() as session:
        row = _ended(users.revoke_key(session, _named(key)))
    show_item(row, json=json)


@keys.command()
def rotate(
    key: Annotated[str, typer.Argument(metavar="PREFIX_OR_ID", callback=written)],
    *,
    grace: Annotated[
        int, typer.Option(min=0, max=_LONGEST_GRACE_HOURS, metavar="HOURS", help="How long the old key is still good.")
    ] = 0,
    json: Json = False,
) -> None:
    """Make a key with another one's scopes, shown this once, and end that one: now, or after --grace hours."""
    with transaction() as session:
        ended, successor = users.rotate_key(session, _named(key), grace=timedelta(hours=grace))
        row = _ended(ended) | {"scopes": ended.scopes, "api_key": successor}
    show_item(row, json=json)


def _named(key: str) -> str:
    # Only its first characters are kept, and a whole key must not come back in an error's text.
    return key[:_SHOWN] if key.startswith(_KEY_MARK) else key


def _ended(key: ApiKey) -> dict[str, Any]:
    return {"id": key.id, "prefix": key.prefix, "user": key.user.email, "revoked_at": key.revoked_at}


def named_user(session: Session, who: str) -> User:
    """Find a user by address or id. Raises NotFound, or Conflict when the address is shared."""
    found = find_user(session, who)
    if found is None:
        raise NotFound(f"There is no user {who}.", code="user_not_found")
    return found


def find_user(session: Session, who: str) -> User | None:
    """Find a user by address or id; a shop's customer by id alone. Raises Conflict when the address is shared."""
    named = ((func.lower(User.email) == who.lower()) & User.shop_id.is_(None)) | (User.id == who)
    found = list(session.scalars(select(User).where(named).limit(2)))
    if len(found) > 1:
        raise Conflict(f"Several users are called {who}; name one by id.", code="user_ambiguous")
    return found[0] if found else None


def _key_row(key: ApiKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "prefix": key.prefix,
        "user": key.user.email,
        "scopes": key.scopes,
        "created_at": key.created_at,
        "revoked_at": key.revoked_at,
    }


def _row(user: User) -> dict[str, Any]:
    return {
        "id": user.id,
        "email": user.email,
        "name": user.full_name,
        "role": user.role,
        "locale": user.locale,
        "keys": [key.prefix for key in user.keys if key.revoked_at is None or key.revoked_at > datetime.now(UTC)],
        "created_at": user.created_at,
    }
