import socketserver
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from payproc.application import Letter
from payproc.errors import PayprocError
from payproc.outgoing.mail.smtp import ConnectionLost, Mailer, MailRefused, MailTrouble, MailUnavailable
from sandbox.faults.orders import Faults
from sandbox.mail.catcher import Mailbox, MailCatcher
from sandbox.store import Store

# To one of them a mail's commands are sent at once (RFC 2920).
ONE_BY_ONE = b"250-hello\r\n250 AUTH PLAIN"
AT_ONCE = b"250-hello\r\n250-PIPELINING\r\n250 AUTH PLAIN"
BOTH = pytest.mark.parametrize("ehlo", [ONE_BY_ONE, AT_ONCE], ids=["one by one", "at once"])
REPLIES = {
    b"HELLO": b"220 here",
    b"EHLO": ONE_BY_ONE,
    b"AUTH": b"235 welcome",
    b"MAIL": b"250 ok",
    b"RCPT": b"250 ok",
    b"DATA": b"354 go on",
    b"TEXT": b"250 taken",
    b"RSET": b"250 ok",
    b"QUIT": b"421 no",
}


class ScriptedServer(socketserver.ThreadingTCPServer):
    """A mail server that answers each command as it is told, and says goodbye badly.

    `commands` and `text` are what it heard. Where it `waits` it says nothing to a mail before it has all its commands.
    """

    daemon_threads = True

    def __init__(self, replies: Mapping[bytes, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _Scripted)
        self.replies = {**REPLIES, **replies}
        self.commands: list[bytes] = []
        self.text = b""
        self.waits = False


class _Scripted(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, ScriptedServer)
        replies, in_text, unsaid = self.server.replies, False, b""
        self.wfile.write(replies[b"HELLO"] + b"\r\n")
        for line in self.rfile:
            command = line[:4].upper()
            if not in_text:
                self.server.commands.append(line.rstrip())
                said = replies.get(line.rstrip(), replies[command])
                unsaid += said + b"\r\n"
                in_text = command == b"DATA" and said.startswith(b"354")
            elif line == b".\r\n":
                unsaid, in_text = replies[b"TEXT"] + b"\r\n", False
            else:
                self.server.text += line
            if not (self.server.waits and command in (b"MAIL", b"RCPT")):
                self.wfile.write(unsaid)
                unsaid = b""


@contextmanager
def server(**replies: bytes) -> Iterator[ScriptedServer]:
    with ScriptedServer({name.encode(): reply for name, reply in replies.items()}) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield running
        finally:
            running.shutdown()
            thread.join()


def mail(to: str = "amina@example.com", *, text: str = "thank you") -> Letter:
    content = f"From: <shop@example.com>\r\nTo: <{to}>\r\n\r\n{text}\r\n".encode()
    return Letter(sender="shop@example.com", recipient=to, content=content)


def post(url: str, letter: Letter) -> None:
    with Mailer(url).connection() as server:
        server.post(letter)


def url(running: ScriptedServer) -> str:
    return f"smtp://127.0.0.1:{running.server_address[1]}"


def meets(running: ScriptedServer, *, login: str = "") -> type[PayprocError] | None:
    try:
        post(f"smtp://{login}127.0.0.1:{running.server_address[1]}", mail())
    except PayprocError as error:
        return type(error)
    return None


def meet(running: ScriptedServer, *letters: Letter) -> list[type[PayprocError] | None]:
    """What becomes of letters on one connection."""
    found: list[type[PayprocError] | None] = []
    with Mailer(url(running)).connection() as server:
        for letter in letters:
            try:
                server.post(letter)
            except PayprocError as error:
                found.append(type(error))
            else:
                found.append(None)
    return found


@BOTH
def test_a_mail_that_was_taken_is_sent_whatever_the_goodbye(ehlo: bytes) -> None:
    with server(EHLO=ehlo) as running:
        assert meets(running) is None
        assert running.commands[1:] == [b"mail FROM:<shop@example.com>", b"rcpt TO:<amina@example.com>", b"data"]


def test_a_mails_commands_are_sent_at_once_where_that_is_offered() -> None:
    with server(EHLO=AT_ONCE) as running:
        running.waits = True
        assert meet(running, mail(), mail()) == [None, None]


@BOTH
def test_a_line_that_is_a_dot_does_not_end_a_mail(ehlo: bytes) -> None:
    with server(EHLO=ehlo) as running:
        assert meet(running, mail(text="one\r\n.\r\n..two\r\n.")) == [None]
        assert running.text.endswith(b"\r\n\r\none\r\n..\r\n...two\r\n..\r\n")


@BOTH
def test_a_size_that_the_server_wants_to_know_is_told(ehlo: bytes) -> None:
    with server(EHLO=ehlo.replace(b"AUTH PLAIN", b"SIZE 1000000")) as running:
        assert meet(running, mail()) == [None]
        assert running.commands[1] == f"mail FROM:<shop@example.com> size={len(mail().content)}".encode()


@BOTH
@pytest.mark.parametrize("said", [b"550 5.1.1 No such user", b"450 4.2.0 Greylisted"])
def test_a_recipient_who_is_refused_leaves_the_connection_to_the_next_mail(ehlo: bytes, said: bytes) -> None:
    # This server says "go on" to DATA all the same: what goes on must be nobody's mail.
    with server(EHLO=ehlo, **{"rcpt TO:<nobody@example.com>": said}) as running:
        found = meet(running, mail(), mail("nobody@example.com", text="for nobody"), mail())
        assert found == [None, MailRefused if said.startswith(b"5") else MailUnavailable, None]
        assert b"for nobody" not in running.text


@BOTH
@pytest.mark.parametrize("said", [b"421 4.3.2 Closing", b"what did you say"])
def test_a_server_that_hangs_up_or_babbles_in_the_middle_is_asked_nothing_more(ehlo: bytes, said: bytes) -> None:
    # After what is no reply nobody would know which of its words is about which mail.
    with server(EHLO=ehlo, **{"rcpt TO:<nobody@example.com>": said}) as running:
        assert meet(running, mail("nobody@example.com"), mail()) == [MailUnavailable, ConnectionLost]
        assert running.text == b""


def test_an_address_that_would_be_a_command_is_not_sent() -> None:
    with server(EHLO=AT_ONCE) as running:
        assert meet(running, mail("x@example.com>\r\nrcpt TO:<y@example.com"), mail()) == [MailRefused, None]
        assert running.commands[1:] == [b"mail FROM:<shop@example.com>", b"rcpt TO:<amina@example.com>", b"data"]


def test_a_server_that_is_not_there_is_trouble_for_every_mail() -> None:
    with pytest.raises(MailTrouble) as trouble:
        post("smtp://127.0.0.1:9", mail())
    assert not trouble.value.refused


@pytest.mark.parametrize(
    "replies",
    [
        {"HELLO": b"554 5.7.1 Not from your address"},
        {"EHLO": b"550 We do not talk", "HELO": b"550 We do not talk"},
        {"MAIL": b"530 5.7.0 Authentication required"},
        {"MAIL": b"553 5.7.1 Sender address rejected: not owned by user"},
        {"MAIL": b"550 5.1.0 Sender denied"},
        {"MAIL": b"550 5.4.5 Daily user sending limit exceeded"},
        {"RCPT": b"550 5.4.5 Daily user sending limit exceeded"},
        {"RCPT": b"554 5.7.1 <amina@example.com>: Relay access denied"},
        {"RCPT": b"553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)"},
        {"RCPT": b"550 relay not permitted, authentication required"},
        {"RCPT": b"550 5.1.8 <shop@example.com>: Sender address rejected: Domain not found"},
        {"RCPT": b"530 Authentication required"},
        {"TEXT": b"550 5.4.5 Daily sending quota exceeded"},
        {"TEXT": b"554 Message rejected: Email address is not verified."},
        {"TEXT": b"554 5.2.252 SendAsDenied; not allowed to send as"},
        {"TEXT": b"550-5.7.26 This mail is unauthenticated\r\n550 5.7.26 at 203.0.5.1.1"},
        {"DATA": b"503 5.5.1 Bad sequence"},
    ],
    ids=lambda replies: next(f"{name} {said.decode()[:20]}" for name, said in replies.items()),
)
@BOTH
def test_a_no_to_login_sender_session_or_quota_is_no_refusal_of_the_mail(
    ehlo: bytes, replies: dict[str, bytes]
) -> None:
    with server(**{"EHLO": ehlo, **replies}) as running, pytest.raises(MailTrouble) as trouble:
        post(f"smtp://127.0.0.1:{running.server_address[1]}", mail())
    assert trouble.value.refused


@pytest.mark.parametrize(
    "replies",
    [
        {"RCPT": b"550 5.1.1 No such user"},
        {"RCPT": b"550 No such user here"},
        {"RCPT": b"552 5.2.2 Mailbox full"},
        {"RCPT": b"550-5.1.1 The account does not\r\n550-5.1.1 exist. Learn more at\r\n550 5.1.1 https://example.com"},
        {"TEXT": b"552 5.3.4 Message too big"},
        {"TEXT": b"552 Message exceeds fixed size"},
        {"TEXT": b"554 5.6.0 Message content rejected"},
    ],
    ids=lambda replies: next(f"{name} {said.decode()[:20]}" for name, said in replies.items()),
)
@BOTH
def test_a_no_to_the_mailbox_or_the_message_is_final(ehlo: bytes, replies: dict[str, bytes]) -> None:
    with server(EHLO=ehlo, **replies) as running:
        assert meets(running) is MailRefused


@pytest.mark.parametrize("replies", [{"RCPT": b"450 4.2.0 Greylisted"}, {"TEXT": b"451 4.3.0 Try again later"}])
@BOTH
def test_a_later_said_of_one_mail_is_of_that_mail_alone(ehlo: bytes, replies: dict[str, bytes]) -> None:
    with server(EHLO=ehlo, **replies) as running:
        assert meets(running) is MailUnavailable


@pytest.mark.parametrize("replies", [{"HELLO": b"421 4.3.2 Busy"}, {"MAIL": b"451 4.7.1 Too fast"}])
@BOTH
def test_a_later_said_of_the_session_passes_by_itself(ehlo: bytes, replies: dict[str, bytes]) -> None:
    with server(EHLO=ehlo, **replies) as running, pytest.raises(MailTrouble) as trouble:
        post(f"smtp://127.0.0.1:{running.server_address[1]}", mail())
    assert not trouble.value.refused


def test_no_password_is_sent_where_no_tls_is_offered() -> None:
    with server() as running:
        assert meets(running, login="shop:hunter2@") is ConnectionLost
        assert [line[:4].lower() for line in running.commands] == [b"ehlo"]


def test_an_address_that_the_server_cannot_spell_is_of_that_mail_alone() -> None:
    with server() as running:
        with pytest.raises(MailRefused):
            post(f"smtp://127.0.0.1:{running.server_address[1]}", mail("آمنہ@example.com"))
        assert [line[:4].lower() for line in running.commands] == [b"ehlo"]


def test_a_host_that_can_be_none_is_trouble_for_every_mail() -> None:
    with pytest.raises(MailTrouble) as trouble:
        post("smtp://mail..example.com", mail())
    assert trouble.value.refused


# --- TLS --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def certified(tmp_path: Path) -> ssl.SSLContext:
    """A certificate that nobody vouches for, as mail servers have it on installation."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail.example")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, encoding = tmp_path / "mail.pem", serialization.Encoding.PEM
    secret = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    pem.write_bytes(secret + certificate.public_bytes(encoding))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


@contextmanager
def insisting_on_tls(certified: ssl.SSLContext, tmp_path: Path) -> Iterator[tuple[int, Mailbox]]:
    caught = Mailbox(Store(str(tmp_path / "mails.db")))
    catcher = MailCatcher(caught, Faults(calls={}, notices={}), certified=certified)
    catcher.start()
    try:
        yield catcher.port, caught
    finally:
        catcher.stop()


def test_starttls_is_used_where_it_is_offered(certified: ssl.SSLContext, tmp_path: Path) -> None:
    with insisting_on_tls(certified, tmp_path) as (port, caught):
        post(f"smtp://127.0.0.1:{port}", mail())
        post(f"smtp://127.0.0.1:{port}", mail("آمنہ@example.com"))
        assert [letter["to"] for letter in caught.letters()] == [["آمنہ@example.com"], ["amina@example.com"]]


def test_no_password_is_sent_to_a_server_that_nobody_vouches_for(certified: ssl.SSLContext, tmp_path: Path) -> None:
    with insisting_on_tls(certified, tmp_path) as (port, caught):
        with pytest.raises(MailTrouble) as trouble:
            post(f"smtp://shop:hunter2@127.0.0.1:{port}", mail())
        assert caught.letters() == []
    assert trouble.value.refused
    assert isinstance(trouble.value.__cause__, ssl.SSLCertVerificationError)
