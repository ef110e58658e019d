"""The mail catcher: an SMTP server that delivers nothing, and the page where its letters are read."""

import asyncio
import json
import socket
import ssl
import time
from collections.abc import Coroutine, Mapping
from email import message_from_bytes, policy
from email.message import EmailMessage, MIMEPart

from aiosmtpd.controller import BaseThreadedController
from aiosmtpd.smtp import SMTP, Envelope, Session
from flask import Blueprint, Response, abort, jsonify, render_template, request

from sandbox.faults.orders import SMTP as SMTP_OPERATION
from sandbox.faults.orders import Faults, MailFault
from sandbox.store import Json, Store

SCHEMA = """
CREATE TABLE IF NOT EXISTS mails (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    received_at INTEGER NOT NULL,
    body TEXT NOT NULL
);
"""

DOWN: frozenset[MailFault] = frozenset({MailFault.DOWN})
SLOW: frozenset[MailFault] = frozenset({MailFault.SLOW})
# What each command is answered with, by its fault.
OF_MAIL = {
    MailFault.LOGIN: "530 5.7.0 Authentication required (sandbox fault)",
    MailFault.SENDER: "553 5.7.1 Sender address rejected: not owned by user (sandbox fault)",
}
OF_RCPT = {MailFault.MAILBOX: "550 5.1.1 No such mailbox (sandbox fault)"}
OF_DATA = {
    MailFault.REFUSE: "451 4.3.0 Try again later (sandbox fault)",
    MailFault.QUOTA: "550 5.4.5 Daily sending quota exceeded (sandbox fault)",
}


class Mailbox:
    """The letters caught so far."""

    def __init__(self, store: Store) -> None:
        self._store = store
        store.add_tables(SCHEMA)

    def add(self, envelope_to: list[str], envelope_from: str, content: bytes) -> None:
        """Keep a letter as it came in over SMTP."""
        body = read_letter(content)
        # The envelope decides who gets a letter; a blind copy is in no header.
        body["to"], body["from"] = envelope_to, envelope_from
        with self._store.transaction() as connection:
            connection.execute(
                "INSERT INTO mails (received_at, body) VALUES (?, ?)", (int(time.time()), json.dumps(body))
            )

    def letters(self, *, to: str | None = None) -> list[Json]:
        """Return the letters, newest first, or only those sent to one address."""
        with self._store.transaction() as connection:
            rows = connection.execute("SELECT * FROM mails ORDER BY id DESC").fetchall()
        letters = [{"id": row["id"], "received_at": row["received_at"], **json.loads(row["body"])} for row in rows]
        return [letter for letter in letters if to is None or to in letter["to"]]

    def clear(self) -> None:
        """Throw every letter away."""
        with self._store.transaction() as connection:
            connection.execute("DELETE FROM mails")


def read_letter(content: bytes) -> Json:
    """Return the parts of a letter a reader sees; a missing part is an empty string."""
    letter = message_from_bytes(content, _class=EmailMessage, policy=policy.default)
    return {
        "subject": str(letter.get("Subject", "")),
        "message_id": str(letter.get("Message-ID", "")),
        "header_from": str(letter.get("From", "")),
        "header_to": str(letter.get("To", "")),
        "text": _content(letter.get_body(("plain",))),
        "html": _content(letter.get_body(("html",))),
    }


def _content(part: MIMEPart | None) -> str:
    return "" if part is None else str(part.get_content()).replace("\r\n", "\n")


class _Handler:
    """What aiosmtpd calls for each letter."""

    def __init__(self, mailbox: Mailbox, faults: Faults) -> None:
        self._mailbox = mailbox
        self._faults = faults

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if refusal := self._refusal(OF_MAIL):
            return refusal
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if refusal := self._refusal(OF_RCPT):
            return refusal
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        if refusal := self._refusal(OF_DATA):
            return refusal
        if (order := self._faults.take(SMTP_OPERATION, only=SLOW)) is not None:
            await asyncio.sleep(order.seconds)
        content = envelope.original_content or b""
        self._mailbox.add(list(envelope.rcpt_tos), envelope.mail_from or "", content)
        return "250 2.0.0 Caught"

    def _refusal(self, possible: Mapping[MailFault, str]) -> str | None:
        order = self._faults.take(SMTP_OPERATION, only=frozenset(possible))
        return next((said for fault, said in possible.items() if order is not None and fault == order.fault), None)


class _HangUp(asyncio.Protocol):
    """What a caller finds while the mail server is down."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            transport.abort()


class MailCatcher(BaseThreadedController):
    """The SMTP server in its thread, listening on loopback only. With a certificate it insists on STARTTLS."""

    def __init__(
        self, mailbox: Mailbox, faults: Faults, *, port: int = 0, certified: ssl.SSLContext | None = None
    ) -> None:
        # Bound here rather than by aiosmtpd, which cannot be asked for "any free port".
        self._listener = socket.create_server(("127.0.0.1", port))
        self._faults = faults
        self.port: int = self._listener.getsockname()[1]
        super().__init__(
            _Handler(mailbox, faults),
            hostname="localhost",
            tls_context=certified,
            require_starttls=certified is not None,
        )

    def factory(self) -> SMTP | _HangUp:
        """Return the protocol for a new connection."""
        if self._faults.take(SMTP_OPERATION, only=DOWN) is not None:
            return _HangUp()
        return SMTP(self.handler, **self.SMTP_kwargs)

    def _create_server(self) -> Coroutine[object, object, asyncio.AbstractServer]:
        return self.loop.create_server(self._factory_invoker, sock=self._listener)

    def _trigger_server(self) -> None:
        # aiosmtpd builds its protocol on the first connection and waits for that at start.
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as caller:
            caller.recv(4)


def mail_pages(mailbox: Mailbox) -> Blueprint:
    """Return the routes that show letters to people and to tests."""
    blueprint = Blueprint("mail", __name__)

    @blueprint.get("/mail")
    def index() -> str:
        return render_template("mail.html", letters=mailbox.letters())

    @blueprint.get("/mail/<int:letter_id>")
    def read(letter_id: int) -> str:
        found = [letter for letter in mailbox.letters() if letter["id"] == letter_id]
        if not found:
            abort(404)
        return render_template("letter.html", letter=found[0])

    @blueprint.get("/_sandbox/mail")
    def as_json() -> Response:
        return jsonify(mailbox.letters(to=request.args.get("to")))

    @blueprint.delete("/_sandbox/mail")
    def clear() -> Response:
        mailbox.clear()
        return jsonify([])

    return blueprint
