"""The side of Stripe, JazzCash and Easypaisa, and the mail catcher, in one process: `python -m sandbox.gateway`."""

import argparse
import logging
import signal
import socket
import threading
from dataclasses import dataclass
from pathlib import Path

from flask import Flask, Response, jsonify
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from sandbox.config import GatewayConfig, read_wallets
from sandbox.faults.orders import Faults
from sandbox.mail.catcher import Mailbox, MailCatcher, mail_pages
from sandbox.stripe.account.outcomes import expire_overdue, ring_alarms
from sandbox.stripe.account.rates import PRICES
from sandbox.stripe.account.refunds import ring_refund_alarms
from sandbox.stripe.app import api
from sandbox.stripe.controls.switches import controls
from sandbox.stripe.faults import CALLS, NOTICES
from sandbox.stripe.pages.checkout import pages
from sandbox.stripe.pages.dashboard import dashboard
from sandbox.stripe.simulator import Simulator
from sandbox.stripe.store import StripeStore
from sandbox.wallets import opening
from sandbox.wallets.service import WalletService

__all__ = ["GatewayConfig", "RunningGateway", "create_app", "start_gateway"]

_log = logging.getLogger(__name__)

STRIPE = "sandbox.stripe"
WALLETS = "sandbox.wallets"


def create_app(config: GatewayConfig) -> Flask:
    """Return the gateways' web application, with none of its background threads running."""
    store = StripeStore(config.state_path)
    faults = Faults(calls={**CALLS, **opening.CALLS}, notices={**NOTICES, **opening.NOTICES})
    simulator = Simulator(config, store, faults)
    service = opening.open_wallet_service(config, store, faults)
    app = Flask(__name__, static_folder=None)
    app.extensions[STRIPE] = simulator
    app.extensions[WALLETS] = service
    app.register_blueprint(api(simulator))
    app.register_blueprint(controls(simulator))
    app.register_blueprint(pages(simulator))
    app.register_blueprint(dashboard(simulator))
    app.register_blueprint(mail_pages(Mailbox(store)))
    for routes in opening.wallet_routes(config, service):
        app.register_blueprint(routes)

    @app.get("/healthz")
    def healthz() -> Response:
        return jsonify({"status": "ok"})

    return app


class _Connections:
    """The open sockets, so that stopping the gateway also ends its kept-alive conversations."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()

    def add(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.add(connection)

    def remove(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.discard(connection)

    def end_all(self) -> None:
        with self._lock:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    # The other side hung up between two lines of ours.
                    continue


def _handler(connections: _Connections) -> type[WSGIRequestHandler]:
    class Handler(WSGIRequestHandler):
        def setup(self) -> None:
            connections.add(self.request)
            super().setup()

        def finish(self) -> None:
            super().finish()
            connections.remove(self.request)

        def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002 - werkzeug's name
            _log.debug(f"{type} {message}", *args)

    return Handler


@dataclass(frozen=True)
class RunningGateway:
    """A gateway serving in threads of this process."""

    base_url: str
    smtp_port: int
    simulator: Simulator
    wallets: WalletService
    _server: BaseWSGIServer
    _thread: threading.Thread
    _connections: _Connections
    _mail: MailCatcher

    def stop(self) -> None:
        """Stop serving, delivering and catching; the state file can be opened again afterwards."""
        # First, so that requests held open by a fault let go of their threads.
        self.simulator.stop()
        self.wallets.stop()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._connections.end_all()
        self._mail.stop()
        self.simulator.store.close()


def start_gateway(
    config: GatewayConfig, *, port: int = 0, smtp_port: int = 0, host: str = "127.0.0.1"
) -> RunningGateway:
    """Serve the gateway from threads of this process; port 0 takes any free one."""
    app = create_app(config)
    simulator: Simulator = app.extensions[STRIPE]
    service: WalletService = app.extensions[WALLETS]
    connections = _Connections()
    server = make_server(host, port, app, threaded=True, request_handler=_handler(connections))
    mail = MailCatcher(Mailbox(simulator.store), simulator.faults, port=smtp_port)
    mail.start()
    simulator.start(lambda: _tick(simulator))
    service.start()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, name="gateway", daemon=True)
    thread.start()
    return RunningGateway(
        f"http://{host}:{server.server_port}", mail.port, simulator, service, server, thread, connections, mail
    )


def _tick(simulator: Simulator) -> None:
    ring_alarms(simulator)
    ring_refund_alarms(simulator)
    expire_overdue(simulator)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox.gateway", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address the pages and the API listen on")
    parser.add_argument("--port", type=int, default=8420, help="port of the pages and the API")
    parser.add_argument("--smtp-port", type=int, default=8425, help="port of the mail catcher")
    parser.add_argument("--webhook-url", default="", help="where events are posted; none are without it")
    parser.add_argument("--webhook-secret", default=GatewayConfig.webhook_secret, help="the whsec_ key")
    parser.add_argument("--wallets", type=Path, help="JSON file with the accounts of JazzCash and Easypaisa")
    parser.add_argument("--state", default=":memory:", help="SQLite file that survives restarts")
    parser.add_argument("--public-base-url", default="", help="address customers' browsers reach us at")
    parser.add_argument(
        "--settlement-currency",
        default="",
        choices=["", *sorted(PRICES)],
        help="what the Stripe account is paid out in; without it each charge settles in its own currency",
    )
    parser.add_argument("--log-level", default="INFO", help="DEBUG also shows every request")
    return parser.parse_args()


def main() -> None:
    """Run until SIGINT or SIGTERM."""
    arguments = _arguments()
    logging.basicConfig(level=arguments.log_level, format="%(asctime)s %(name)s %(message)s")
    if arguments.state != ":memory:":
        Path(arguments.state).parent.mkdir(parents=True, exist_ok=True)
    config = GatewayConfig(
        webhook_url=arguments.webhook_url,
        webhook_secret=arguments.webhook_secret,
        state_path=arguments.state,
        public_base_url=arguments.public_base_url.rstrip("/"),
        settlement_currency=arguments.settlement_currency,
        **read_wallets(arguments.wallets),
    )
    asked_to_stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: asked_to_stop.set())
    gateway = start_gateway(config, port=arguments.port, smtp_port=arguments.smtp_port, host=arguments.host)
    _log.info("Gateways at %s, SMTP on port %s", gateway.base_url, gateway.smtp_port)
    asked_to_stop.wait()
    gateway.stop()


if __name__ == "__main__":
    main()
