"""One mail's commands to a server: at once where it takes them so (PIPELINING, RFC 2920), else one after the other.

A mail is four questions; asked at once they are two waits. Python's library knows no other way than one by one.
"""

import smtplib
from collections.abc import Sequence
from contextlib import suppress

from payproc.application import Letter

Reply = tuple[int, bytes]

_OK = 250
_FORWARDED = 251
_GO_ON = 354
_CLOSING = 421
# What each command is to be answered with.
_WANTED = ((_OK,), (_OK, _FORWARDED), (_GO_ON,))


def hand_over(server: smtplib.SMTP, letter: Letter) -> None:
    """Hand a letter over. On return the server has taken responsibility for it.

    Raises what `smtplib.SMTP.sendmail` does, and leaves the server ready for the next letter where it still talks.
    """
    server.ehlo_or_helo_if_needed()
    # All are put together before the first is sent: what cannot be asked has asked nothing.
    asked = [_line(command) for command in _commands(server, letter)]
    said = _ask_at_once(server, asked) if server.has_extn("pipelining") else _ask_in_turn(server, asked)
    if refusal := _refusal(said, letter):
        _give_up(server, said)
        raise refusal
    # A line that begins with a dot would end the text.
    server.send(letter.content.replace(b"\n.", b"\n..") + b".\r\n")
    taken = _reply(server)
    if taken[0] != _OK:
        _give_up(server, [taken])
        raise smtplib.SMTPDataError(*taken)


def _commands(server: smtplib.SMTP, letter: Letter) -> tuple[str, str, str]:
    options = f" size={len(letter.content)}" if server.has_extn("size") else ""
    if not (letter.sender + letter.recipient).isascii():
        if not server.has_extn("smtputf8"):
            raise smtplib.SMTPNotSupportedError("the server cannot spell this address")
        options += " SMTPUTF8"
    return f"mail FROM:<{letter.sender}>{options}", f"rcpt TO:<{letter.recipient}>", "data"


def _line(command: str) -> bytes:
    if not command.isprintable():
        raise ValueError("an address that would be a command")
    return command.encode() + b"\r\n"


def _ask_at_once(server: smtplib.SMTP, asked: Sequence[bytes]) -> list[Reply]:
    server.send(b"".join(asked))
    said: list[Reply] = []
    while len(said) < len(asked) and server.sock:
        said.append(_reply(server))
    return said


def _ask_in_turn(server: smtplib.SMTP, asked: Sequence[bytes]) -> list[Reply]:
    said: list[Reply] = []
    for line, wanted in zip(asked, _WANTED, strict=True):
        server.send(line)
        said.append(_reply(server))
        if said[-1][0] not in wanted:
            break
    return said


def _reply(server: smtplib.SMTP) -> Reply:
    code, text = server.getreply()
    if code in (_CLOSING, -1):
        # It hangs up, or has said what is no reply: whatever it says next, nobody knows to what.
        server.close()
    return code, text


def _refusal(said: Sequence[Reply], letter: Letter) -> smtplib.SMTPException | None:
    refused = (place for place, (code, _) in enumerate(said) if code not in _WANTED[place])
    match next(refused, None):
        case None:
            return None
        case 0:
            return smtplib.SMTPSenderRefused(*said[0], letter.sender)
        case 1:
            return smtplib.SMTPRecipientsRefused({letter.recipient: said[1]})
        case place:
            return smtplib.SMTPDataError(*said[place])


def _give_up(server: smtplib.SMTP, said: Sequence[Reply]) -> None:
    """Leave nothing of this letter behind."""
    with suppress(smtplib.SMTPServerDisconnected):
        if said[-1][0] == _GO_ON:
            # It wants the text, though it has refused the recipient. A dot alone is a mail to nobody (RFC 2920 §3.1).
            server.send(b".\r\n")
            _reply(server)
        server.rset()
