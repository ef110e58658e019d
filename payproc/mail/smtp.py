"""How mail leaves: one SMTP connection per mail."""

import smtplib
import ssl
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

from payproc.errors import PayprocError

_TIMEOUT_SECONDS = 10
_TEMPORARY_FROM, _PERMANENT_FROM = 400, 500


class MailUnavailable(PayprocError):
    """The mail server is down, or asks to be tried later."""

    code = "mail_unavailable"


class MailRefused(PayprocError):
    """The mail server will never take this mail."""

    code = "mail_refused"


class Mailer:
    """A mail server, by its URL: `smtp://[user:password@]host[:port]`, or `smtps://` for TLS from the start.

    With a user name a plain connection is upgraded by STARTTLS before the password is sent.
    """

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)

    def post(self, message: EmailMessage) -> None:
        """Hand one mail over. On return the server has taken responsibility for it.

        Raises MailUnavailable or MailRefused.
        """
        try:
            server = self._connect()
            try:
                server.send_message(message)
            finally:
                # Not QUIT: the mail is the server's from its "250" on, and a bad goodbye must not unsend it.
                server.close()
        except smtplib.SMTPRecipientsRefused as refused:
            codes = [code for code, _ in refused.recipients.values()]
            raise _by_code(min(codes)) from refused
        except smtplib.SMTPResponseException as refused:
            raise _by_code(refused.smtp_code) from refused
        except (OSError, smtplib.SMTPException) as down:
            raise MailUnavailable(f"The mail server did not answer ({type(down).__name__}).") from down

    def _connect(self) -> smtplib.SMTP:
        host = self._url.hostname or "127.0.0.1"
        # smtplib checks no certificate unless it is handed a context that does.
        verified = ssl.create_default_context()
        if self._url.scheme == "smtps":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                host, self._url.port or 465, timeout=_TIMEOUT_SECONDS, context=verified
            )
        else:
            server = smtplib.SMTP(host, self._url.port or 25, timeout=_TIMEOUT_SECONDS)
        try:
            if self._url.username:
                self._log_in(server, verified)
        except BaseException:
            server.close()
            raise
        return server

    def _log_in(self, server: smtplib.SMTP, verified: ssl.SSLContext) -> None:
        if self._url.scheme != "smtps":
            server.starttls(context=verified)
        server.login(unquote(self._url.username or ""), unquote(self._url.password or ""))


def _by_code(code: int) -> PayprocError:
    if _TEMPORARY_FROM <= code < _PERMANENT_FROM:
        return MailUnavailable(f"The mail server asks to be tried later ({code}).")
    return MailRefused(f"The mail server refused the mail for good ({code}).")
