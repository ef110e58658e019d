"""A mail as it leaves: written octet by octet, for a library that knows every kind of mail takes five times as long."""

from binascii import b2a_qp
from collections.abc import Mapping
from typing import Literal

from payproc.application import Letter
from payproc.outgoing.mail import headers


def letter(
    written: Mapping[str, str], *, plain: str, html: str, key: str, sender: str, recipient: str, language: str
) -> Letter:
    """Write a mail under these headers that says the same in two ways. `key` is in no other mail.

    Raises MailRefused where a header would not be read as it is written.
    """
    # No line of a quoted-printable text holds this (RFC 2045 §6.7): nobody need look whether one does.
    boundary = f"=_{key}"
    of_the_body = {
        "MIME-Version": "1.0",
        "Content-Type": f'multipart/alternative; boundary="{boundary}"',
        "Content-Language": language,
    }
    head, line = headers.block({**written, **of_the_body}), f"\r\n--{boundary}".encode()
    # The plainer one first: whoever can show both shows the last.
    halves = line + b"\r\n" + _part("plain", plain) + line + b"\r\n" + _part("html", html) + line + b"--\r\n"
    return Letter(sender=sender, recipient=recipient, content=head + halves)


def _part(subtype: Literal["plain", "html"], text: str) -> bytes:
    of_the_part = headers.block(
        {"Content-Type": f'text/{subtype}; charset="utf-8"', "Content-Transfer-Encoding": "quoted-printable"}
    )
    # Seven bits: not every server on the way takes eight, and none is asked. No end of a line but the wire's own, or a
    # server on the way may take what follows for a mail of its own.
    return of_the_part + b"\r\n" + b2a_qp(b"\r\n".join(text.encode().splitlines()) + b"\r\n")
