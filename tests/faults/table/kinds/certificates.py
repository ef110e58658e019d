"""A gateway whose certificate nobody vouches for."""

import datetime as dt
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.faults.table.grounds import Grounds
from tests.faults.table.row import Fault

_SECONDS = 4


def _write_pair(directory: Path) -> Path:
    """Write a key and a certificate that its own key has signed; return their file."""
    key, now = ec.generate_private_key(ec.SECP256R1()), dt.datetime.now(dt.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    file = directory / "self-signed.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(private + certificate.public_bytes(Encoding.PEM))
    return file


@contextmanager
def _impostor(directory: Path) -> Iterator[str]:
    """Listen as somebody who is not Stripe; yields the address."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_write_pair(directory))

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """Say nothing of callers who hang up: that is what is wanted of them."""

    server = Server(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _meets_an_impostor(grounds: Grounds) -> None:
    right = grounds.stack.site.overrides["STRIPE_API_BASE"]
    with _impostor(grounds.stack.site.directory) as address:
        grounds.reconfigure({"STRIPE_API_BASE": address}, only=("worker-stripe",))
        grounds.hold(_SECONDS)
        grounds.reconfigure({"STRIPE_API_BASE": right}, only=("worker-stripe",))


SELF_SIGNED = Fault(title="Stripe: a certificate that nobody vouches for", happen=_meets_an_impostor)
