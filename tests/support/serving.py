"""Servers in threads: of a handler, and of whichever application a test has at the moment."""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from werkzeug.serving import make_server

# A test that ends does not wait for ever for a request that does not.
_LONGEST_SECONDS = 30


class Slot:
    """A WSGI application that hands on to another one, and knows what is still under way there."""

    def __init__(self) -> None:
        self.app: WSGIApplication | None = None
        self._changed = threading.Condition()
        self._under_way = 0

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        with self._changed:
            app, self._under_way = self.app, self._under_way + 1
        try:
            if app is None:
                start_response("503 Service Unavailable", [])
                return []
            return app(environ, start_response)
        finally:
            with self._changed:
                self._under_way -= 1
                self._changed.notify_all()

    def clear(self) -> None:
        """Take no more requests, and wait for those under way: they hold connections of the database that goes next."""
        with self._changed:
            self.app = None
            assert self._changed.wait_for(lambda: not self._under_way, timeout=_LONGEST_SECONDS)


class Front(Slot):
    """A server for whichever application a test has at the moment."""

    def __init__(self) -> None:
        super().__init__()
        self._server = make_server("127.0.0.1", 0, self, threaded=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Serve on loopback; yields the address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
