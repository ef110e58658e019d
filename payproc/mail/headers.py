"""A mail's headers, written letter by letter.

The standard library decodes what it is given before it folds it: a name such as `=?utf-8?q?x=0D=0ASubject:_Hello?=`
holds no line break until then, and a header and a body of its writer's choosing afterwards. So what is not plain is
encoded here, nothing is decoded or folded on the way out, and the finished mail is read once more as its reader will.
"""

import re
from base64 import b64encode
from collections.abc import Mapping
from email.message import EmailMessage
from email.parser import Parser
from email.policy import EmailPolicy, default

from payproc.domain.phrases import one_line, shortened
from payproc.mail.smtp import MailRefused

# Nobody's name is longer; what is, is a message to whoever reads the mail.
_LONGEST_NAME = 64
# In base64, with its frame and "Subject: " before it, below the 76 characters that such a line may have (RFC 2047 §2).
_OCTETS_OF_A_WORD = 39
_LONGEST_LINE = 76

_PLAIN_TEXT = re.compile(r"[ -~]*")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9 '-]*")
# A dot-atom on both sides (RFC 5322 §3.4.1), in any script (RFC 6532); quoted local parts are nobody's.
_ATOM = r"[^\x00-\x20\x7f()<>@,;:\\\".\[\]]+"
_ADDRESS = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@{_ATOM}(?:\.{_ATOM})*")
_LONGEST_ADDRESS = 254
# What Python's readers, and ours, would decode.
_ENCODED = "=?"


class _Verbatim(EmailPolicy):
    def header_store_parse(self, name: str, value: str) -> tuple[str, str]:
        return name, value

    def header_fetch_parse(self, name: str, value: str) -> str:
        # Whoever writes a mail down asks each part forty times for its type, and each answer would be parsed anew.
        if name.lower().startswith("content-"):
            return value
        read: str = super().header_fetch_parse(name, value)
        return read


# `utf8`: an address may need it. All else is plain by then, and without it newer releases would fold it anew.
_VERBATIM = _Verbatim(linesep="\r\n", refold_source="none", utf8=True)


def display_name(name: str) -> str:
    """Return a name as mails call people: one line, and no longer than a name."""
    return shortened(one_line(name), _LONGEST_NAME)


def mailbox(name: str, address: str) -> str:
    """Write a name and an address as `To` and `From` hold them.

    Raises MailRefused where the address is none.
    """
    if not _is_address(address):
        raise MailRefused("The recipient's address is none.")
    shown = display_name(name)
    if not shown:
        return f"<{address}>"
    return f"{shown if _PLAIN_NAME.fullmatch(shown) else _encoded(shown)}\r\n <{address}>"


def text(name: str, words: str) -> str:
    """Write the words of header `name`."""
    fits = len(f"{name}: {words}") <= _LONGEST_LINE
    return words if fits and _PLAIN_TEXT.fullmatch(words) and _ENCODED not in words else _encoded(words)


def with_headers(headers: Mapping[str, str]) -> EmailMessage:
    """Begin a mail whose headers leave as they stand here."""
    message = EmailMessage(policy=_VERBATIM)
    for name, value in headers.items():
        message[name] = value
    return message


def check(message: EmailMessage, *, names: tuple[str, ...], recipient: str) -> None:
    """Read the finished mail as its reader will: these headers and no others, and one recipient.

    Raises MailRefused.
    """
    # No further than the blank line where they end: what a body says is no header, and to read it took longer than to
    # write it.
    head = message.as_bytes().decode()
    read = Parser(EmailMessage, policy=default).parsestr(head, headersonly=True)
    addressed = [address.addr_spec for address in read["To"].addresses]
    if tuple(read.keys()) != names or addressed != [recipient]:
        raise MailRefused("The mail would say something else than we wrote.")


def _is_address(address: str) -> bool:
    within = len(address) <= _LONGEST_ADDRESS and address.isprintable() and _ENCODED not in address
    return within and _ADDRESS.fullmatch(address) is not None


def _encoded(words: str) -> str:
    """Write words as RFC 2047 wants them, none cut within a letter."""
    pieces = [b""]
    for letter in words:
        octets = letter.encode()
        if len(pieces[-1]) + len(octets) > _OCTETS_OF_A_WORD:
            pieces.append(b"")
        pieces[-1] += octets
    return "\r\n ".join(f"=?utf-8?B?{b64encode(piece).decode()}?=" for piece in pieces)
