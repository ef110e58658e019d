"""The mails of a message share a connection: what one of them meets holds up no other, and none goes twice."""

import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Self

import pytest
import requests
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from payproc import jobs
from payproc.application import Letter, Posting
from payproc.database.engine import Database
from payproc.database.models import Email, Job, JobState, ReviewKind
from payproc.domain.states import Fact
from payproc.jobs import Kind
from payproc.outgoing.mail.smtp import Mailer
from sandbox.gateway import RunningGateway
from tasks import runner
from tests.support.mailbox import Mailbox, Outgoing

TEN = 10


@pytest.fixture
def ten(mailbox: Mailbox) -> Mailbox:
    """Ten receipts wait."""
    for _ in range(TEN):
        mailbox.payment(Fact.PAID)
    return mailbox


def send(mailbox: Mailbox) -> None:
    """Run what is due as one message, once."""
    found = jobs.dispatch(mailbox.app.database, limit=100, lease=timedelta(seconds=20))
    runner.run(mailbox.app, [(job.job_id, job.token) for job in found])


def send_again(mailbox: Mailbox) -> None:
    with mailbox.app.database.transaction() as session:
        session.execute(text("UPDATE jobs SET due_at = now() WHERE state = 'ready'"))
    send(mailbox)


def job_states(mailbox: Mailbox) -> list[JobState]:
    """How the jobs stand, in the order of their mails."""
    of_mail = select(Job.state).where(Job.kind == Kind.SEND_MAIL)
    with mailbox.app.database.transaction() as session:
        return list(session.scalars(of_mail.join(Email, Email.id == Job.subject).order_by(Email.created_at, Email.id)))


def sent(mailbox: Mailbox) -> list[bool]:
    return [email.sent_at is not None for email in mailbox.emails()]


@dataclass
class Watched:
    """A way mail leaves that lets a test act before each mail, and counts connections."""

    mailer: Mailer
    before: Callable[[int], None]
    connections: int = 0
    handed: int = 0

    @contextmanager
    def connection(self) -> Iterator[Posting]:
        self.connections += 1
        with self.mailer.connection() as server:

            def post(letter: Letter) -> None:
                self.handed += 1
                self.before(self.handed)
                server.post(letter)

            yield Outgoing(post)


def order_fault(gateway: RunningGateway, fault: str, *, times: int | None = 1) -> None:
    order = {"operation": "smtp", "fault": fault, "times": times}
    assert requests.post(f"{gateway.base_url}/_sandbox/faults", json=order, timeout=5).ok


def caught(gateway: RunningGateway) -> list[str]:
    letters = requests.get(f"{gateway.base_url}/_sandbox/mail", timeout=5).json()
    return [letter["message_id"] for letter in letters]


@pytest.fixture
def server(gateway: RunningGateway) -> Iterator[RunningGateway]:
    requests.post(f"{gateway.base_url}/_sandbox/reset", timeout=5)
    requests.delete(f"{gateway.base_url}/_sandbox/mail", timeout=5)
    yield gateway
    requests.delete(f"{gateway.base_url}/_sandbox/faults", timeout=5)


def by(mailbox: Mailbox, watched: Watched) -> Mailbox:
    return replace(mailbox, app=replace(mailbox.app, mailer=watched))


@pytest.mark.parametrize(
    ("fault", "third", "review"),
    [
        ("mailbox", JobState.DEAD, [ReviewKind.JOB_DEAD]),  # this mail will never be taken
        ("refuse", JobState.READY, []),  # later
        ("quota", JobState.READY, [ReviewKind.MAIL_TROUBLE]),  # said of all mail, and yet the others go
    ],
)
def test_of_ten_the_third_is_refused_and_the_others_go_once(
    ten: Mailbox, server: RunningGateway, fault: str, third: JobState, review: list[ReviewKind]
) -> None:
    def refuse_the_third(number: int) -> None:
        if number == 3:
            order_fault(server, fault)

    watched = Watched(Mailer(f"smtp://127.0.0.1:{server.smtp_port}"), refuse_the_third)
    send(by(ten, watched))

    assert watched.connections == 1
    assert sent(ten) == [place != 2 for place in range(TEN)]
    assert job_states(ten) == [third if place == 2 else JobState.DONE for place in range(TEN)]
    assert len(set(caught(server))) == len(caught(server)) == TEN - 1
    with ten.app.database.transaction() as session:
        assert list(session.scalars(text("SELECT kind FROM reviews"))) == review


def test_a_connection_lost_in_the_middle_ends_what_went_and_lets_the_rest_wait(
    ten: Mailbox, server: RunningGateway
) -> None:
    with HangsUp(after=4) as lost:
        watched = Watched(Mailer(f"smtp://127.0.0.1:{lost.port}"), lambda _: None)
        send(by(ten, watched))
        assert lost.taken == 4
    assert watched.connections == 1
    assert sent(ten) == [place < 4 for place in range(TEN)]
    assert job_states(ten) == [JobState.DONE if place < 4 else JobState.READY for place in range(TEN)]

    send_again(by(ten, Watched(Mailer(f"smtp://127.0.0.1:{server.smtp_port}"), lambda _: None)))
    assert all(sent(ten))
    assert len(caught(server)) == TEN - 4


class HangsUp(socketserver.ThreadingTCPServer):
    """A mail server that takes so many mails on a connection and hangs up in the next."""

    daemon_threads = True

    def __init__(self, *, after: int) -> None:
        super().__init__(("127.0.0.1", 0), _Takes)
        self.after, self.taken = after, 0
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02})

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Takes(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, HangsUp)
        self.wfile.write(b"220 here\r\n")
        in_text = False
        for line in self.rfile:
            if in_text and line == b".\r\n":
                in_text = False
                self.server.taken += 1
            elif in_text:
                continue
            elif line.upper().startswith(b"DATA"):
                if self.server.taken == self.server.after:
                    return
                in_text = True
                self.wfile.write(b"354 go on\r\n")
                continue
            self.wfile.write(b"250 ok\r\n")


def test_a_server_that_is_down_is_tried_once_for_all_that_wait(ten: Mailbox, server: RunningGateway) -> None:
    order_fault(server, "down", times=None)
    watched = Watched(Mailer(f"smtp://127.0.0.1:{server.smtp_port}"), lambda _: None)
    send(by(ten, watched))
    assert watched.connections == 1
    assert job_states(ten) == [JobState.READY] * TEN
    with ten.app.database.transaction() as session:
        assert set(session.scalars(select(Job.attempts).where(Job.kind == Kind.SEND_MAIL))) == {1}


def test_a_lease_that_is_lost_while_mails_go_costs_the_others_nothing(ten: Mailbox, server: RunningGateway) -> None:
    third = ten.emails()[2].id

    def take_over(number: int) -> None:
        if number == 3:
            with ten.app.database.transaction() as session:
                taken = text("UPDATE jobs SET lease_token = gen_random_uuid() WHERE subject = :id")
                session.execute(taken, {"id": third})

    send(by(ten, Watched(Mailer(f"smtp://127.0.0.1:{server.smtp_port}"), take_over)))
    assert sent(ten) == [place != 2 for place in range(TEN)]
    assert job_states(ten) == [JobState.READY if place == 2 else JobState.DONE for place in range(TEN)]


class Died(BaseException):
    """The worker is gone: nothing catches this."""


class DiesWithMail(Database):
    """A database that its worker asks nothing more once it is dead."""

    dead = False

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        if self.dead:
            raise Died
        with super().transaction() as session:
            yield session


def test_a_worker_that_dies_in_the_middle_repeats_few_and_as_the_same_mails(
    ten: Mailbox, server: RunningGateway
) -> None:
    for _ in range(5):
        ten.payment(Fact.PAID)
    database = DiesWithMail(ten.app.settings.database_url, pool_size=2)

    def die(number: int) -> None:
        if number == 13:
            database.dead = True
            raise Died

    watched = Watched(Mailer(f"smtp://127.0.0.1:{server.smtp_port}"), die)
    with pytest.raises(Died):
        send(replace(ten, app=replace(ten.app, mailer=watched, database=database)))
    database.dispose()
    with ten.app.database.transaction() as session:
        session.execute(text("UPDATE jobs SET leased_until = now() - interval '1 minute' WHERE state = 'ready'"))
    assert sum(sent(ten)) >= TEN, "ten are noted at a time"
    send(by(ten, Watched(Mailer(f"smtp://127.0.0.1:{server.smtp_port}"), lambda _: None)))

    assert all(sent(ten))
    letters = caught(server)
    assert len(set(letters)) == TEN + 5
    assert len(letters) <= TEN + 5 + 2
