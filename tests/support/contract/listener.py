"""The merchant's end of the wire: it keeps every delivery as it came, and says what it is told to say."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import urlsplit

from payproc.providers.notices import RawNotice
from tests.support.serving import serving

_LONGEST_WAIT_SECONDS = 10

Answer = Callable[[RawNotice], Mapping[str, str] | None]


def usual_words(_: RawNotice) -> Mapping[str, str] | None:
    return None


class Listener:
    """`answer` is how a delivery is answered; None stands for our usual words."""

    def __init__(self) -> None:
        self.url = ""
        self.answer: Answer = usual_words
        self._heard: list[RawNotice] = []
        self._more = threading.Condition()

    def take(self, raw: RawNotice) -> bytes:
        said = self.answer(raw)
        with self._more:
            self._heard.append(raw)
            self._more.notify_all()
        return json.dumps({"status": "received"} if said is None else dict(said)).encode()

    def heard(self, wanted: Callable[[RawNotice], bool]) -> RawNotice:
        """The first delivery that is wanted, as soon as there is one."""
        with self._more:
            found = self._more.wait_for(lambda: self._first(wanted), timeout=_LONGEST_WAIT_SECONDS)
        assert found is not None, "it was never delivered"
        return found

    def _first(self, wanted: Callable[[RawNotice], bool]) -> RawNotice | None:
        return next((raw for raw in self._heard if wanted(raw)), None)


def _handler(listener: Listener) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self._taken(self.rfile.read(int(self.headers.get("Content-Length", 0))))

        def do_GET(self) -> None:
            self._taken(b"")

        def _taken(self, body: bytes) -> None:
            raw = RawNotice(
                body=body,
                headers={name.lower(): value for name, value in self.headers.items()},
                received_at=datetime.now(UTC),
                query=urlsplit(self.path).query,
            )
            answer = listener.take(raw)
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


@contextmanager
def listening() -> Iterator[Listener]:
    listener = Listener()
    with serving(_handler(listener)) as url:
        listener.url = url
        yield listener
