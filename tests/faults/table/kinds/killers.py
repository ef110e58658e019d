"""A job that kills whoever works on it."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psutil
import requests
import urllib3

from tests.faults.shop import PREFIX
from tests.faults.table.grounds import Grounds
from tests.faults.table.row import Fault
from tests.support.waiting import wait_until

WORKER = "worker-stripe"
# Five deaths, and a lease after each: the shortest that is allowed, for nothing is measured of it.
_LEASE = "8s"
_BURIED_WITHIN_SECONDS = 180
_BURIED = "SELECT count(*) FROM jobs WHERE subject = %s AND kind = 'payment.start' AND state = 'dead'"
_KILLER = "the killer"
_NOT_OURS = {"connection", "transfer-encoding", "content-length", "host", "date", "server"}


class _Passing(BaseHTTPRequestHandler):
    """Stands before the gateway and passes all on; who brings the killer dies, as by the kernel's hand."""

    protocol_version = "HTTP/1.1"
    gateway: str
    worker: int
    http = urllib3.PoolManager(maxsize=16, retries=False)

    def do_GET(self) -> None:
        self._pass_on(None)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if _KILLER.replace(" ", "+").encode() in body:
            self._kill()
            self.close_connection = True
            return
        self._pass_on(body)

    def _kill(self) -> None:
        port = self.client_address[1]
        for process in psutil.Process(self.worker).children(recursive=True):
            if any(each.laddr and each.laddr.port == port for each in process.net_connections()):
                os.kill(process.pid, signal.SIGKILL)

    def _pass_on(self, body: bytes | None) -> None:
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _NOT_OURS}
        answer = self.http.request(self.command, f"{self.gateway}{self.path}", body=body, headers=headers)
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            if name.lower() not in _NOT_OURS:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.data)))
        self.end_headers()
        self.wfile.write(answer.data)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Say nothing of callers who are gone: they were killed."""


@contextmanager
def _before(grounds: Grounds) -> Iterator[str]:
    handler = type("Handler", (_Passing,), {"gateway": grounds.stack.gateway_url, "worker": 0})
    server = _Server(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        address = f"http://127.0.0.1:{server.server_port}"
        grounds.reconfigure({"STRIPE_API_BASE": address, "WORK_LEASE": _LEASE}, only=(WORKER,))
        handler.worker = grounds.stack.process(WORKER)  # type: ignore[attr-defined]  # of the type made above
        yield address
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _kills(grounds: Grounds) -> None:
    right = {name: grounds.stack.site.overrides[name] for name in ("STRIPE_API_BASE", "WORK_LEASE")}
    with _before(grounds):
        payment_id = _take(grounds)
        wait_until(
            lambda: grounds.count(_BURIED, payment_id), seconds=_BURIED_WITHIN_SECONDS, what="the killer set aside"
        )
        grounds.reconfigure(right, only=(WORKER,))


def _take(grounds: Grounds) -> str:
    answer = requests.post(
        f"{grounds.stack.web_url}{PREFIX}/checkout",
        json={
            "amount": "19.99",
            "currency": "usd",
            "description": _KILLER,
            "success_url": "https://example.com/thanks",
            "cancel_url": "https://example.com/basket",
        },
        headers={"Authorization": f"Bearer {grounds.stack.keys['customer']}"},
        timeout=40,
    )
    assert answer.status_code == 202, answer.text
    return str(answer.json()["payment_id"])


KILLER = Fault(title="a job that kills its worker, until it is set aside", happen=_kills)
