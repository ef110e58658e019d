"""How mail leaves: on a connection that several may share, and whose trouble it is where it does not."""

import re
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import unquote, urlsplit

from payproc.application import Letter
from payproc.errors import PayprocError
from payproc.outgoing.mail.handover import hand_over

_TIMEOUT_SECONDS = 10
_PERMANENT_FROM = 500

# What a refusal is about, wherever in its text: RFC 3463 §3, class 5.
_STATUS = re.compile(rb"(?<![0-9.])5\.([0-9]{1,3})\.([0-9]{1,3})(?!\.?[0-9])")
_OF_ONE_MAIL = (b"1", b"2", b"6")  # the address, the mailbox, the content
_TOO_BIG = (b"3", b"4")
# Addresses are our sender's as well, and Exchange says of a mailbox as whom we may not send.
_OF_OUR_SENDER = ((b"1", b"7"), (b"1", b"8"), (b"2", b"252"))
# Where no such numbers are given, after RCPT and after DATA. After DATA 550 and 554 are also what is said to a sender
# whose address is not verified, and that is no refusal of this message.
_NO_MAILBOX = frozenset({501, 550, 551, 552, 553})
_NO_ROOM = frozenset({552})
_RELAY = re.compile(rb"relay", re.IGNORECASE)


class MailUnavailable(PayprocError):
    """This mail is to be tried later."""

    code = "mail_unavailable"


class MailTrouble(MailUnavailable):
    """No mail of ours goes now. `refused`: the server said so, and will until somebody mends what it said it of."""

    code = "mail_trouble"

    def __init__(self, message: str, *, refused: bool = False) -> None:
        super().__init__(message)
        self.refused = refused


class ConnectionLost(MailTrouble):
    """There is no connection to the mail server, or none any more: nothing else need be tried on it."""


class MailRefused(PayprocError):
    """This mail will never be taken."""

    code = "mail_refused"


class Mailer:
    """A mail server, by its URL: `smtp://[user:password@]host[:port]`, or `smtps://` for TLS from the start.

    A plain connection is upgraded by STARTTLS where the server offers it, and no password is sent without.
    """

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)

    @contextmanager
    def connection(self) -> Iterator["MailConnection"]:
        """Open one connection, for as many mails as there are. Raises ConnectionLost where there is none to be had."""
        with _session_troubles():
            server = self._connect()
        try:
            yield MailConnection(server)
        finally:
            # Not QUIT: a mail is the server's from its "250" on, and a bad goodbye must not unsend it.
            server.close()

    def _connect(self) -> smtplib.SMTP:
        host = self._url.hostname or "127.0.0.1"
        if self._url.scheme == "smtps":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                host, self._url.port or 465, timeout=_TIMEOUT_SECONDS, context=_verified()
            )
        else:
            server = smtplib.SMTP(host, self._url.port or 25, timeout=_TIMEOUT_SECONDS)
        try:
            self._secure(server)
            if self._url.username:
                server.login(unquote(self._url.username), unquote(self._url.password or ""))
        except BaseException:
            server.close()
            raise
        return server

    def _secure(self, server: smtplib.SMTP) -> None:
        server.ehlo_or_helo_if_needed()
        if self._url.scheme == "smtps":
            return
        if self._url.username:
            server.starttls(context=_verified())
        elif server.has_extn("starttls"):
            server.starttls(context=_opportune())


class MailConnection:
    """One connection to a mail server."""

    def __init__(self, server: smtplib.SMTP) -> None:
        self._server = server

    def post(self, letter: Letter) -> None:
        """Hand one mail over. On return the server has taken responsibility for it.

        Raises MailTrouble, MailUnavailable or MailRefused: these are about this mail, and the next may be tried. After
        ConnectionLost none need be.
        """
        with _troubles_of_one_mail():
            hand_over(self._server, letter)


def _verified() -> ssl.SSLContext:
    # smtplib checks no certificate unless it is handed a context that does.
    return ssl.create_default_context()


def _opportune() -> ssl.SSLContext:
    """Return what keeps listeners out where no password is sent (RFC 7435).

    Who can put a certificate of his own in the way could as well keep the offer of TLS from us, and a mail server on
    the same host has one that nobody vouches for.
    """
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@contextmanager
def _session_troubles() -> Iterator[None]:
    try:
        yield
    except smtplib.SMTPResponseException as refused:
        raise ConnectionLost(_said(refused), refused=refused.smtp_code >= _PERMANENT_FROM) from refused
    except smtplib.SMTPServerDisconnected as down:
        raise _down(down) from down
    except (smtplib.SMTPException, ValueError) as unfit:
        # Our own library, before it has asked: no TLS or no login that both sides know, a host that can be none.
        sentence = f"The mail server cannot be used as it is set ({type(unfit).__name__})."
        raise ConnectionLost(sentence, refused=True) from unfit
    except OSError as down:
        raise _down(down) from down


@contextmanager
def _troubles_of_one_mail() -> Iterator[None]:
    try:
        yield
    except smtplib.SMTPRecipientsRefused as refused:
        [(code, said)] = refused.recipients.values()
        raise _of_one_mail(code, said, plain=_NO_MAILBOX) from refused
    except smtplib.SMTPDataError as refused:
        raise _of_one_mail(refused.smtp_code, _octets(refused.smtp_error), plain=_NO_ROOM) from refused
    except smtplib.SMTPResponseException as refused:
        # HELO and MAIL are about us. What our sender may not do, no mail may.
        raise _trouble(refused) from refused
    except (smtplib.SMTPNotSupportedError, ValueError) as unfit:
        # Refused by our own library: nothing was sent, and the server is well.
        raise MailRefused(f"The mail cannot be handed over ({type(unfit).__name__}).") from unfit
    except OSError as down:
        raise _down(down) from down


def _of_one_mail(code: int, said: bytes, *, plain: frozenset[int]) -> PayprocError:
    if code < _PERMANENT_FROM:
        return MailUnavailable(f"The mail server asks to be tried later ({code}).")
    status = _STATUS.search(said)
    named = f"{code} {status[0].decode()}" if status else str(code)
    if _is_final(status[1], status[2]) if status else code in plain and not _RELAY.search(said):
        return MailRefused(f"The mail server refused the mail for good ({named}).")
    return MailTrouble(f"The mail server takes no mail of ours ({named}).", refused=True)


def _is_final(about: bytes, detail: bytes) -> bool:
    # All else is of the server, its routes, its protocol, its rules: quota, spam lists, who may relay.
    of_one_mail = about in _OF_ONE_MAIL and (about, detail) not in _OF_OUR_SENDER
    return of_one_mail or (about, detail) == _TOO_BIG


def _trouble(refused: smtplib.SMTPResponseException) -> MailTrouble:
    return MailTrouble(_said(refused), refused=refused.smtp_code >= _PERMANENT_FROM)


def _said(refused: smtplib.SMTPResponseException) -> str:
    code = refused.smtp_code
    status = _STATUS.search(_octets(refused.smtp_error))
    named = f"{code} {status[0].decode()}" if status else str(code)
    return f"The mail server takes no mail of ours ({named})."


def _down(error: OSError) -> ConnectionLost:
    return ConnectionLost(f"The mail server did not answer ({type(error).__name__}).")


def _octets(said: bytes | str) -> bytes:
    return said if isinstance(said, bytes) else said.encode()
