"""`listen`: what happens, as it happens, and sent on to a shop that is being written."""

import json as encoder
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from types import FrameType
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer
from standardwebhooks.webhooks import EmptyWebhookSecretError

from payproc.cli.people.users import named_user
from payproc.cli.terminal.edge import Json, connected, line_if_any
from payproc.cli.terminal.rendering import show_text
from payproc.database.engine import Database
from payproc.errors import InvalidRequest
from payproc.outgoing import feed
from payproc.outgoing.feed import FeedEvent, Whose
from payproc.outgoing.webhooks.sending import signing
from payproc.outgoing.webhooks.sending.sender import AttemptResult, Sender, WebhookRequest

_LOOK_EVERY_SECONDS = 0.5
# Longer than any transaction of ours: whoever idles in one loses it after 30 s.
_WITHIN = timedelta(minutes=2)


@dataclass(kw_only=True)
class _Watch:
    """What is looked for, and what has been seen of it."""

    whose: Whose
    types: Sequence[str]
    seen: dict[str, datetime] = field(default_factory=dict)

    def news(self, database: Database) -> Sequence[FeedEvent]:
        """Return what has come since the last look, also where it was begun before and committed since."""
        found = feed.recent(database, self.whose, types=self.types, within=_WITHIN, known=self.seen)
        self.seen |= {event.id: event.at for event in found}
        if found:
            # Twice as long as they are looked for, by one clock.
            until = max(self.seen.values()) - 2 * _WITHIN
            self.seen = {event_id: at for event_id, at in self.seen.items() if at > until}
        return found


def listen(
    *,
    forward: Annotated[
        str | None, typer.Option(help="Where to send them on, such as http://127.0.0.1:5000/hook.")
    ] = None,
    secret: Annotated[str | None, typer.Option(help="What signs them; drawn and shown once unless given.")] = None,
    shop: Annotated[
        str | None, typer.Option(callback=line_if_any, help="A shop's address or id: its events alone.")
    ] = None,
    event: Annotated[
        list[str] | None, typer.Option("--type", help="A type, or such as payment.*; once for each, all unless said.")
    ] = None,
    anywhere: Annotated[bool, typer.Option("--anywhere", help="Send them on to another machine, too.")] = False,
    json: Json = False,
) -> None:
    """Print events as they come, from now on, and send them on as webhooks are sent. Ctrl-C ends it.

    What is sent on is signed as an endpoint's webhooks are, and tried once. It changes nothing: what endpoints are told
    they are told all the same.
    """
    if forward is not None:
        _check_forward(forward, anywhere=anywhere)
    types = sorted({each for wanted in event for each in feed.types_of(wanted)} if event else feed.types_of(None))
    with _until_interrupted() as ended, connected() as database, Sender(anywhere=True) as sender:
        watch = _Watch(whose=Whose(shop_id=_shop_id(database, shop)), types=types)
        # What is there already is no news.
        while watch.news(database):
            pass
        signed_by = _secret(secret, json=json) if forward else ""
        typer.echo("listening; Ctrl-C ends it", err=True)
        for told in _coming(database, watch, ended):
            tried = _forwarded(sender, told, forward, signed_by=signed_by) if forward else None
            _show(told, tried, json=json)


@contextmanager
def _until_interrupted() -> Iterator[threading.Event]:
    """Give what Ctrl-C sets. An exception in the middle of a question would end as the database's trouble."""
    ended = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        ended.set()
        # A second one ends it wherever it is.
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, end)
    try:
        yield ended
    finally:
        signal.signal(signal.SIGINT, before)


def _coming(database: Database, watch: _Watch, ended: threading.Event) -> Iterator[FeedEvent]:
    while not ended.is_set():
        found = watch.news(database)
        for told in found:
            if ended.is_set():
                return
            yield told
        if not found:
            ended.wait(_LOOK_EVERY_SECONDS)


def _shop_id(database: Database, shop: str | None) -> str | None:
    if shop is None:
        return None
    return database.read(lambda session: named_user(session, shop)).id


def _check_forward(url: str, *, anywhere: bool) -> None:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        parts, host = None, ""
    if parts is None or parts.scheme not in ("http", "https") or not host:
        raise InvalidRequest("--forward must be an absolute URL such as http://127.0.0.1:5000/hook.")
    if not (anywhere or _is_loopback(host)):
        raise InvalidRequest("--forward leads to another machine: say --anywhere if that is meant.")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _secret(given: str | None, *, json: bool) -> str:
    if given is None:
        drawn = signing.new_secret()
        typer.echo(encoder.dumps({"secret": drawn}) if json else f"signed with {drawn}")
        return drawn
    try:
        signing.headers_of("evt", "{}", signed_by=[given], now=datetime.now(UTC))
    except (ValueError, EmptyWebhookSecretError):
        raise InvalidRequest("--secret must be whsec_ and base64, as an endpoint's is.") from None
    return given


def _forwarded(sender: Sender, told: FeedEvent, url: str, *, signed_by: str) -> AttemptResult:
    headers = signing.headers_of(told.id, told.body, signed_by=[signed_by], now=datetime.now(UTC))
    return sender.post(WebhookRequest(url=url, body=told.body, headers=headers))


def _show(told: FeedEvent, tried: AttemptResult | None, *, json: bool) -> None:
    if json:
        answered = {} if tried is None else {"status": tried.status, "trouble": tried.trouble}
        # A line each, for programs that read them as they come.
        typer.echo(encoder.dumps(encoder.loads(told.text) | answered))
        return
    subject = _subject(encoder.loads(told.data))
    show_text(f"{told.at.astimezone(UTC):%H:%M:%S}  {told.type:<20}  {told.id}  {subject}{_answer(tried)}")


def _subject(data: dict[str, Any]) -> str:
    said = (data.get("id") or data.get("endpoint_id") or "", data.get("status") or "")
    return "  ".join(str(each) for each in said if each)


def _answer(tried: AttemptResult | None) -> str:
    if tried is None:
        return ""
    return f"  → {tried.trouble if tried.status is None else tried.status} ({tried.milliseconds} ms)"
