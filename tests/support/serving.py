"""What a server of the test run serves at the moment: whichever application a test has."""

import threading
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

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
