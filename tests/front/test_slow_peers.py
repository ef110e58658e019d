"""A peer that is slow, silent or one of too many holds nothing of ours for longer than it may."""

import json
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.waiting import wait_until

POST = b"POST / HTTP/1.1\r\nContent-Length: 4000\r\n\r\n"
NOTICE = b"POST /api/v1/payments/webhook/stripe HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"


def is_ended(connection: socket.socket) -> bool:
    """Tell whether the front has ended it without another word."""
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


def is_turned_away(door: Any, *, source: str) -> bool:
    """Tell whether nobody comes in from there. Who is turned away may hear of it before connecting returns."""
    try:
        return is_ended(door.connect(source=source))
    except ConnectionError:
        return True


@pytest.mark.parametrize(
    "said", [b"", b"POST / HT", POST, POST + b"x", b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n"]
)
def test_who_says_a_part_and_no_more_is_ended(door: Any, said: bytes) -> None:
    assert is_ended(door.connect(said, timeout=5))


def test_a_trickle_is_no_sign_of_life(door: Any) -> None:
    connection = door.connect(POST)
    over = threading.Event()

    def trickle() -> None:
        while not over.wait(0.05):
            try:
                connection.send(b"x")
            except OSError:
                return

    thread = threading.Thread(target=trickle)
    thread.start()
    try:
        assert is_ended(connection)
    finally:
        over.set()
        thread.join()


def test_a_reader_who_does_not_read_is_ended_and_holds_no_thread(door: Any) -> None:
    readers = [door.connect(b"GET /large HTTP/1.1\r\n\r\n") for _ in range(20)]
    wait_until(lambda: door.app.carried_out.count("/large") == 20, seconds=5, what="twenty answers by two threads")
    assert b"200 OK" in door.get()
    wait_until(lambda: len(door.server.active_channels) == 0, seconds=5, what="the end of every reader")
    assert len(readers) == 20


def test_one_who_reads_gets_all_of_it(door: Any) -> None:
    head, _, body = door.get("/large").partition(b"\r\n\r\n")
    assert b"200 OK" in head
    assert len(body) == 8 * 1024 * 1024


def test_a_connection_that_has_asked_before_may_ask_again(door: Any) -> None:
    connection = door.connect()
    for size in (3, 5000, 200_000, 1):
        connection.sendall(f"POST / HTTP/1.1\r\nContent-Length: {size}\r\n\r\n".encode() + b"x" * size)
        read = b""
        while not read.endswith(b"x" * size) or read.partition(b"\r\n\r\n")[2] != b"x" * size:
            read += connection.recv(65536)
    assert is_ended(connection)


def test_requests_sent_before_their_turn_are_answered_in_order(door: Any) -> None:
    words = [f"number {number}".encode() for number in range(30)]
    sent = b"".join(b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(word), word) for word in words)
    connection = door.connect(sent)
    read = b""
    while read.count(b"number") < len(words):
        read += connection.recv(65536)
    assert [read.index(word + (b"HTTP" if word != words[-1] else b"")) for word in words] == sorted(
        read.index(word + (b"HTTP" if word != words[-1] else b"")) for word in words
    )


def test_notices_are_taken_while_every_other_thread_is_held(door: Any) -> None:
    for _ in range(10):
        door.connect(b"GET /held HTTP/1.1\r\n\r\n")
    for _ in range(2):
        assert door.app.entered.acquire(timeout=5)
    began = time.monotonic()
    assert b"200 OK" in door.connect(NOTICE).recv(4096)
    assert time.monotonic() - began < 1


def test_a_notice_counts_though_its_sender_does_not_wait_for_our_thanks(door: Any) -> None:
    for _ in range(2):
        door.connect(b"POST /api/v1/payments/held/notify HTTP/1.1\r\n\r\n")
    connection = door.connect(NOTICE)
    connection.close()
    wait_until(lambda: "/api/v1/payments/webhook/stripe" in door.app.carried_out, seconds=5, what="the notice")


def test_one_address_holds_so_many_connections_and_others_come_in(narrow_door: Callable[..., Any]) -> None:
    door = narrow_door(of_an_address=5)
    crowd = [door.connect(source="127.0.0.2") for _ in range(5)]
    wait_until(lambda: len(door.server.active_channels) == 5, seconds=5)
    assert is_turned_away(door, source="127.0.0.2")
    assert b"200 OK" in door.get(source="127.0.0.3")
    crowd.pop().close()
    wait_until(lambda: len(door.server.active_channels) < 5, seconds=5)
    assert b"200 OK" in door.get(source="127.0.0.2")


def test_a_full_house_lets_those_go_who_let_it_wait_longest(narrow_door: Callable[..., Any]) -> None:
    door = narrow_door(connections=100, of_an_address=None)
    crowd = [door.connect() for _ in range(99)]
    wait_until(lambda: len(door.server.active_channels) == 99, seconds=5)
    held = door.connect(b"GET /held HTTP/1.1\r\nConnection: close\r\n\r\n")
    assert door.app.entered.acquire(timeout=5)
    assert b"200 OK" in door.get()
    assert is_ended(crowd[0])
    door.app.let_go.set()
    assert b"200 OK" in held.recv(4096)


def test_bodies_that_wait_are_bounded_in_all(narrow_door: Callable[..., Any]) -> None:
    door = narrow_door(buffered=1_000_000)
    begun = b"POST / HTTP/1.1\r\nContent-Length: 400000\r\n\r\n" + bytes(300_000)
    crowd = [door.connect(begun) for _ in range(6)]
    wait_until(lambda: len(door.server.active_channels) <= 3, seconds=5, what="fewer bodies")
    assert is_ended(crowd[0])
    assert b"200 OK" in door.get()


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (b"NONSENSE\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nA: " + b"x" * 40_000 + b"\r\n\r\n", 431),
        (b"POST / HTTP/1.1\r\nContent-Length: 1048577\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
    ],
)
def test_what_is_no_request_is_answered_in_the_shape_of_all_our_errors(door: Any, said: bytes, status: int) -> None:
    connection = door.connect(said)
    head, _, body = connection.recv(65536).partition(b"\r\n\r\n")
    assert head.startswith((f"HTTP/1.0 {status}".encode(), f"HTTP/1.1 {status}".encode()))
    assert b"application/problem+json" in head
    assert json.loads(body)["status"] == status


def test_who_is_asked_to_stop_finishes_what_is_under_way(door: Any) -> None:
    held = door.connect(b"GET /held HTTP/1.1\r\n\r\n")
    assert door.app.entered.acquire(timeout=5)
    door.server.is_stopping = True
    door.app.let_go.set()
    answer = held.recv(4096)
    assert b"200 OK" in answer
    assert b"Connection: close" in answer
    assert is_ended(held)
