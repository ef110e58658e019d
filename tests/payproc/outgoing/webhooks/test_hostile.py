"""Endpoints that mean harm, or do it: nobody is sent where we did not look, and nobody keeps us."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from payproc.database.models import DeliveryState, WebhookAttempt, WebhookDelivery
from payproc.outgoing.webhooks.sending.addresses import is_public
from payproc.outgoing.webhooks.sending.connections import Patience
from payproc.outgoing.webhooks.sending.sender import AttemptResult, Sender, WebhookRequest
from tests.support.shops.webhooks import Receiver, answering, endpoint_at, receiving, told
from tests.support.world import World

HASTY = Patience(connect=timedelta(seconds=1), read=timedelta(seconds=0.5), in_all=timedelta(seconds=1))
# Whatever a call may take, what looks at its end, and a busy machine.
SOON = 4.0
BODY = '{"data":{}}'


def letter(url: str) -> WebhookRequest:
    return WebhookRequest(url=url, body=BODY, headers={"webhook-id": "evt_1"})


def tried(url: str, *, anywhere: bool = True) -> tuple[AttemptResult, float]:
    began = time.monotonic()
    with Sender(anywhere=anywhere, patience=HASTY) as sender:
        return sender.post(letter(url)), time.monotonic() - began


@contextmanager
def raw(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """Serve one connection at the level of octets, when its request has been read."""
    listening = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()

    def serve() -> None:
        opened, _ = listening.accept()
        with opened:
            asked = b""
            # All of it: what closes with something unread resets the connection.
            while not asked.endswith(BODY.encode()):
                asked += opened.recv(65536)
            try:
                answer(opened)
            except OSError:
                ended.set()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
        thread.join(SOON)
        assert not thread.is_alive(), "it was hung up on"
    finally:
        listening.close()


def test_a_redirect_to_the_clouds_own_address_is_followed_by_nobody(world: World, receiver: Receiver) -> None:
    receiver.answer = answering(302, b"", Location="http://169.254.169.254/latest/meta-data/")
    endpoint, _ = endpoint_at(world.app, receiver.url)
    told(world.app, endpoint)
    world.drain()
    assert len(receiver.received) == 1
    [attempt] = world.rows(WebhookAttempt)
    assert (attempt.status, attempt.trouble) == (302, None)
    assert [each.state for each in world.rows(WebhookDelivery)] == [DeliveryState.PENDING]


def drip(words: bytes) -> Callable[[socket.socket], None]:
    def answer(opened: socket.socket) -> None:
        for place in range(len(words)):
            opened.sendall(words[place : place + 1])
            threading.Event().wait(0.1)

    return answer


def test_headers_that_come_by_the_byte_are_waited_for_so_long_in_all() -> None:
    with raw(drip(b"HTTP/1.1 200 OK\r\n" + b"X-Slow: yes\r\n" * 100)) as url:
        said, took = tried(url)
    assert took < SOON
    assert (said.status, said.trouble) == (None, "no whole answer in time")
    assert said.is_outage


def test_a_body_that_comes_by_the_byte_ends_and_its_status_counts() -> None:
    def answer(opened: socket.socket) -> None:
        opened.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n")
        drip(b"y" * 500)(opened)

    with raw(answer) as url:
        said, took = tried(url)
    assert took < SOON
    assert said.is_delivered
    assert said.answer
    assert set(said.answer) == {"y"}


@pytest.mark.parametrize("head", [b"", b"Content-Length: 10000000000\r\n", b"Transfer-Encoding: chunked\r\n"])
def test_of_ten_gigabytes_a_few_thousand_are_read(head: bytes) -> None:
    sent = 0

    def answer(opened: socket.socket) -> None:
        nonlocal sent
        opened.sendall(b"HTTP/1.1 500 No\r\n" + head + b"\r\n")
        piece = b"x" * 65536
        if b"chunked" in head:
            piece = b"10000\r\n" + piece + b"\r\n"
        while True:
            sent += opened.send(piece)

    with raw(answer) as url:
        said, took = tried(url)
    assert took < SOON
    assert said.status == 500
    assert said.answer == "x" * 2048
    # What the kernel's buffers hold was never read.
    assert sent < 32 * 2**20


@pytest.mark.parametrize("more", [b"", b"X-A: b\r\n", b"Content-Le"])
def test_who_hangs_up_in_the_middle_of_the_headers_has_not_answered(more: bytes) -> None:
    with raw(lambda opened: opened.sendall(b"HTTP/1.1 200 OK\r\n" + more)) as url:
        said, _ = tried(url)
    assert (said.status, said.trouble) == (None, "it hung up within its answer")


def test_who_hangs_up_before_a_word_has_not_answered() -> None:
    with raw(lambda _: None) as url:
        said, _ = tried(url)
    assert (said.status, said.trouble) == (None, "it hung up before it answered")


def test_what_is_no_http_is_no_answer() -> None:
    with raw(lambda opened: opened.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")) as url:
        said, _ = tried(url)
    assert (said.status, said.trouble) == (None, "it answered what is no HTTP")


def test_a_zero_in_an_answer_is_kept_out_of_the_rows(world: World, receiver: Receiver) -> None:
    receiver.answer = answering(200, b"a\0b\xff")
    endpoint, _ = endpoint_at(world.app, receiver.url)
    told(world.app, endpoint)
    world.drain()
    [attempt] = world.rows(WebhookAttempt)
    assert attempt.answer == "ab\N{REPLACEMENT CHARACTER}"


def test_nobody_there_is_said_as_that() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    said, _ = tried(f"http://127.0.0.1:{port}/")
    assert (said.status, said.trouble) == (None, "it takes no connections")


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.8.8", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "0.1.2.3", "224.0.0.1", "255.255.255.255", "240.0.0.1", "192.0.2.1", "198.18.0.1",
        "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fec0::1", "ff02::1", "2001:db8::1",
        "::ffff:127.0.0.1", "::ffff:169.254.169.254", "2002:7f00:1::", "64:ff9b::a9fe:a9fe", "64:ff9b:1::7f00:1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    ],
)  # fmt: skip
def test_an_address_of_our_own_is_told_from_the_worlds(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_an_address_of_the_world_is_taken_for_one(address: str) -> None:
    assert is_public(address)


Found = list[tuple[Any, ...]]


def resolving(*answers: str, port: int) -> Callable[..., Found]:
    """Answer each look for a name with the next of these addresses, and then with the last."""
    left = list(answers)

    def look(*_: object, **__: object) -> Found:
        address = left.pop(0) if len(left) > 1 else left[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    return look


def test_a_name_that_is_private_at_the_second_look_is_sent_nothing(
    monkeypatch: pytest.MonkeyPatch, receiver: Receiver
) -> None:
    looks = resolving("8.8.8.8", "127.0.0.1", port=receiver.port)
    monkeypatch.setattr(socket, "getaddrinfo", looks)
    # As whoever checks a name first, and connects by name after that.
    assert is_public(str(socket.getaddrinfo("rebind.example.com", receiver.port)[0][4][0]))
    said, _ = tried(f"http://rebind.example.com:{receiver.port}/", anywhere=False)
    assert said.status is None
    assert said.trouble == "rebind.example.com leads to an address that is private or reserved"
    assert (receiver.received, receiver.connections) == ([], 0)


def test_a_name_is_looked_up_once_for_a_connection(monkeypatch: pytest.MonkeyPatch, receiver: Receiver) -> None:
    asked: list[object] = []
    find = socket.getaddrinfo

    def counted(*words: Any, **more: Any) -> Any:
        asked.append(words[0])
        return find(*words, **more)

    monkeypatch.setattr(socket, "getaddrinfo", counted)
    said, _ = tried(receiver.url)
    assert said.is_delivered
    assert asked == ["127.0.0.1"]


def test_a_proxy_in_the_environment_is_asked_nothing(monkeypatch: pytest.MonkeyPatch, receiver: Receiver) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    said, _ = tried(receiver.url)
    assert said.is_delivered


def test_a_slow_endpoint_keeps_no_other_of_its_batch_waiting(world: World, receiver: Receiver) -> None:
    go_on = threading.Event()

    def slow(request: BaseHTTPRequestHandler) -> None:
        go_on.wait(20)
        answering(200)(request)

    with receiving() as other:
        other.answer = slow
        slow_one, _ = endpoint_at(world.app, other.url)
        quick_one, _ = endpoint_at(world.app, receiver.url)
        for _ in range(20):
            told(world.app, slow_one, quick_one)
        draining = threading.Thread(target=world.drain_once)
        draining.start()
        try:
            end = time.monotonic() + 10
            while len(receiver.received) < 20 and time.monotonic() < end:
                threading.Event().wait(0.02)
            assert len(receiver.received) == 20
            assert len(other.received) == 4, "so many at once of one endpoint"
        finally:
            go_on.set()
            draining.join()
