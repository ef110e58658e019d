import socketserver
import threading
from collections.abc import Iterator
from email.message import EmailMessage

import pytest

from payproc.mail.smtp import Mailer, MailUnavailable

REPLIES = {b"EHLO": b"250 hello", b"MAIL": b"250 ok", b"RCPT": b"250 ok", b"DATA": b"354 go on", b"QUIT": b"421 no"}


class RudeServer(socketserver.StreamRequestHandler):
    """A mail server that takes a mail and then says goodbye badly."""

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        body = False
        for line in self.rfile:
            if body:
                body = line != b".\r\n"
                self.wfile.write(b"" if body else b"250 taken\r\n")
                continue
            body = line[:4].upper() == b"DATA"
            self.wfile.write(REPLIES[line[:4].upper()] + b"\r\n")


@pytest.fixture
def rude() -> Iterator[int]:
    with socketserver.TCPServer(("127.0.0.1", 0), RudeServer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def mail() -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"] = "shop@example.com", "amina@example.com"
    message.set_content("thank you")
    return message


def test_a_mail_that_was_taken_is_sent_whatever_the_goodbye(rude: int) -> None:
    Mailer(f"smtp://127.0.0.1:{rude}").post(mail())


def test_a_server_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(MailUnavailable):
        Mailer("smtp://127.0.0.1:9").post(mail())
