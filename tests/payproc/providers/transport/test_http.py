"""What the wire does to a call, and what we make of it."""

import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import requests

from payproc.domain.payment_methods import PaymentMethod
from payproc.errors import OutcomeUncertain, ProviderUnavailable, Refusal, RequestRefused
from payproc.providers.transport.circuit_breakers import CallTimedOut, CircuitBreakers, CircuitStatus
from payproc.providers.transport.http import Call, Http, never_connected
from tests.support.fakes.circuit_status import FakeCircuitStatus

Answer = Callable[[socket.socket], None]
METHOD = PaymentMethod("wire")


class Gateway:
    """A socket that answers each call as the test says, and counts them."""

    def __init__(self) -> None:
        self.calls = 0
        self.answer: Answer = says(b"{}")
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/"
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            if not _whole_request(connection):
                return
            self.calls += 1
            try:
                self.answer(connection)
            except OSError:
                return

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


def _whole_request(connection: socket.socket) -> bool:
    # All of it: a socket that is closed with something unread resets the connection, and our answer is lost.
    request = b""
    while b"\r\n\r\n" not in request:
        if not (part := connection.recv(65536)):
            return False
        request += part
    head, _, body = request.partition(b"\r\n\r\n")
    [length] = [int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")]
    while len(body) < length:
        body += connection.recv(65536)
    return True


def says(body: bytes, *, status: str = "200 OK", headers: bytes = b"") -> Answer:
    head = b"HTTP/1.1 %s\r\nContent-Length: %d\r\nConnection: close\r\n%s\r\n" % (status.encode(), len(body), headers)
    return lambda connection: connection.sendall(head + body)


def drips(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    pause = threading.Event()
    for _ in range(100):
        connection.sendall(b" ")
        pause.wait(0.05)


def hangs_up(connection: socket.socket) -> None:
    connection.shutdown(socket.SHUT_RDWR)


def stays_silent(connection: socket.socket) -> None:
    # Until the caller hangs up: its body may come in pieces of its own.
    while connection.recv(1024):
        pass


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    running = Gateway()
    yield running
    running.stop()


def http(longest_rest: timedelta = timedelta(minutes=1), status: CircuitStatus | None = None) -> Http:
    breakers = CircuitBreakers(METHOD, longest_rest=longest_rest, status=status)
    return Http(connect_timeout=timedelta(seconds=1), breakers=breakers)


def call(gateway: Gateway, *, reading: bool = False, patience: float = 0.3, waits: bool = False) -> Call:
    return Call(
        operation="ask",
        url=gateway.url,
        patience=timedelta(seconds=patience),
        json_body={"password": "sz1v4agvyf"},
        reading=reading,
        waits_for_customer=waits,
    )


def test_numbers_in_an_answer_stay_exact_and_its_text_is_kept(gateway: Gateway) -> None:
    gateway.answer = says(b'{"amount": 3000.10}')
    answer = http().ask(call(gateway))
    assert answer.fields == {"amount": Decimal("3000.10")}
    assert answer.text == '{"amount": 3000.10}'


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (stays_silent, "timeout"),
        (drips, "timeout"),
        (hangs_up, "connection_lost"),
        (says(b"<html>Request Rejected. Your support ID is: 1234567890</html>"), "unreadable_answer"),
        (says(b'{"ok": tru'), "unreadable_answer"),
        (says(b"[1]"), "unreadable_answer"),
        (says(b'{"status": "paid", "status": "declined"}'), "unreadable_answer"),
        (says(b'{"amount": NaN}'), "unreadable_answer"),
        (says(b"\xff\xfe"), "unreadable_answer"),
        (says(b'{"ok": 1}', status="500 Oops"), "unreadable_answer"),
        (says(b'{"ok": 1}', status="302 Found", headers=b"Location: /elsewhere\r\n"), "unreadable_answer"),
        (says(b" " * 300_000), "answer_too_long"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_answer_leaves_a_charge_uncertain_and_an_inquiry_asked_twice(
    gateway: Gateway, answer: Answer, code: str
) -> None:
    gateway.answer = answer
    with pytest.raises(OutcomeUncertain) as uncertain:
        http().ask(call(gateway))
    assert (uncertain.value.code, gateway.calls) == (code, 1)
    assert "sz1v4agvyf" not in repr(uncertain.value)

    with pytest.raises(ProviderUnavailable):
        http().ask(call(gateway, reading=True))
    assert gateway.calls == 3


@pytest.mark.parametrize(
    "unfit",
    [
        {"url": "http://"},
        {"url": "no scheme"},
        {"url": "smtp://gateway.example/"},
        {"url": "http://gateway..example/"},
        {"url": "http://gateway.example:99999/"},
        {"headers": {"X-Store": "1234\r\nX-Other: 1"}},
        {"headers": {"X-Store": "اسٹور"}},
        {"basic_auth": ("اسٹور", "secret")},
        {"json_body": {"amount": float("nan")}},
    ],
    ids=str,
)
@pytest.mark.parametrize("reading", [True, False])
def test_what_cannot_be_written_is_neither_an_outage_nor_perhaps_executed(
    gateway: Gateway, unfit: dict[str, Any], *, reading: bool
) -> None:
    status = FakeCircuitStatus()
    tried = http(status=status)
    for _ in range(6):
        with pytest.raises(RequestRefused) as refused:
            tried.ask(replace(call(gateway, reading=reading), **unfit))
        assert (refused.value.code, refused.value.refusal) == ("request_unwritable", Refusal.BUG)
    assert (gateway.calls, status.told) == (0, [])


def test_an_answer_that_drips_ends_with_our_patience(gateway: Gateway) -> None:
    gateway.answer = drips
    began = time.monotonic()
    with pytest.raises(CallTimedOut):
        http().ask(call(gateway, patience=0.2))
    assert time.monotonic() - began < 3


def test_an_error_without_a_word_of_its_cause_may_have_been_sent() -> None:
    assert not never_connected(requests.ConnectionError(ConnectionResetError()))
    assert not never_connected(requests.ConnectionError())


def test_a_firewalls_page_is_named_by_its_support_id(gateway: Gateway) -> None:
    gateway.answer = says(b"<html>Request Rejected. Your support ID is: 1234567890</html>")
    with pytest.raises(OutcomeUncertain, match="support id 1234567890"):
        http().ask(call(gateway))


def test_a_no_in_words_is_an_answer(gateway: Gateway) -> None:
    gateway.answer = says(b'{"code": "0010"}', status="401 Unauthorized")
    assert http().ask(call(gateway)).fields == {"code": "0010"}


def test_five_failures_in_a_row_and_the_gateway_is_left_alone(gateway: Gateway) -> None:
    gateway.answer = hangs_up
    status = FakeCircuitStatus()
    tried = http(status=status)
    for _ in range(5):
        with pytest.raises(OutcomeUncertain):
            tried.ask(call(gateway))
    with pytest.raises(ProviderUnavailable) as resting:
        tried.ask(call(gateway))
    assert (resting.value.code, resting.value.retry_after) == ("circuit_open", timedelta(seconds=15))
    assert (gateway.calls, status.told) == (5, ["ask open"])


def test_a_customer_who_does_not_answer_is_no_sick_gateway(gateway: Gateway) -> None:
    gateway.answer = stays_silent
    tried = http()
    for _ in range(8):
        with pytest.raises(CallTimedOut):
            tried.ask(call(gateway, patience=0.05, waits=True))
    assert gateway.calls == 8


def test_calls_wait_side_by_side_and_not_in_a_row(gateway: Gateway) -> None:
    def slowly(connection: socket.socket) -> None:
        threading.Event().wait(0.3)
        says(b"{}")(connection)

    gateway.answer = slowly
    tried, began = http(), time.monotonic()
    with ThreadPoolExecutor(max_workers=20) as threads:
        list(threads.map(lambda _: tried.ask(call(gateway, patience=2)), range(20)))
    assert time.monotonic() - began < 3


def test_after_its_rest_one_call_finds_out_and_the_others_are_kept_back(gateway: Gateway) -> None:
    gateway.answer = hangs_up
    tried = http(longest_rest=timedelta(milliseconds=100))
    for _ in range(5):
        with pytest.raises(OutcomeUncertain):
            tried.ask(call(gateway))
    open_gate = threading.Event()

    def waits(connection: socket.socket) -> None:
        open_gate.wait(20)
        says(b"{}")(connection)

    gateway.answer = waits
    threading.Event().wait(0.15)
    with ThreadPoolExecutor(max_workers=10) as threads:
        asked = [threads.submit(tried.ask, call(gateway, patience=20)) for _ in range(10)]
        first_nine = list(itertools.islice(as_completed(asked, timeout=30), 9))
        open_gate.set()
    assert {type(each.exception()) for each in first_nine} == {ProviderUnavailable}
    assert gateway.calls == 6
    assert tried.ask(call(gateway)).fields == {}
