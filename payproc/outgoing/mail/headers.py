"""A mail's headers, written letter by letter.

The standard library decodes what it is given before it folds it: a name such as `=?utf-8?q?x=0D=0ASubject:_Hello?=`
holds no line break until then, and a header and a body of its writer's choosing afterwards. So what is not plain is
encoded here, nothing is decoded or folded on the way out, and each line is looked at once more before it leaves.
"""

import re
from base64 import b64encode
from collections.abc import Mapping

from payproc.domain.phrases import one_line, shortened
from payproc.outgoing.mail.smtp import MailRefused

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
# What Python's readers, and ours, would decode; and a line of what we encode.
_ENCODED = "=?"
_WORD = re.compile(r"=\?utf-8\?B\?[A-Za-z0-9+/]+={0,2}\?=")
_FOLD = "\r\n "


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
    return f"{shown if _PLAIN_NAME.fullmatch(shown) else _encoded(shown)}{_FOLD}<{address}>"


def text(name: str, words: str) -> str:
    """Write the words of header `name`."""
    fits = len(f"{name}: {words}") <= _LONGEST_LINE
    return words if fits and _PLAIN_TEXT.fullmatch(words) and _ENCODED not in words else _encoded(words)


def block(headers: Mapping[str, str]) -> bytes:
    """Write headers as they leave.

    Raises MailRefused where one would not be read as it is written: as one header, and as these words.
    """
    for value in headers.values():
        first, *others = value.split(_FOLD)
        if not (_is_read_as_it_is(first) and all(line and _is_read_as_it_is(line) for line in others)):
            raise MailRefused("The mail would say something else than we wrote.")
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()


def _is_read_as_it_is(line: str) -> bool:
    # Neither the end of a line nor any other sign that cannot be seen, and no word that a reader would decode but ours.
    return line.isprintable() and (_ENCODED not in line or _WORD.fullmatch(line) is not None)


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
    return _FOLD.join(f"=?utf-8?B?{b64encode(piece).decode()}?=" for piece in pieces)
