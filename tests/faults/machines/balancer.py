"""What stands before two fronts: `python -m tests.faults.machines.balancer HOST:PORT HOST:PORT HOST:PORT`.

It listens at the first address and hands each connection to one of the others in turn, or to the next that takes it. It
knows no HTTP: what is cut in the middle is cut for the client, too.
"""

import itertools
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress

Address = tuple[str, int]

_CONNECT_SECONDS = 2.0
_AT_ONCE = 65_536


def _address(text: str) -> Address:
    host, _, port = text.rpartition(":")
    return host, int(port)


def _serve(client: socket.socket, behind: Iterator[Address], count: int) -> None:
    for _ in range(count):
        with suppress(OSError):
            server = socket.create_connection(next(behind), timeout=_CONNECT_SECONDS)
            server.settimeout(None)
            threading.Thread(target=_pass_on, args=(client, server), daemon=True).start()
            _pass_on(server, client)
            return
    client.close()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while read := source.recv(_AT_ONCE):
            target.sendall(read)
    for end in (source, target):
        # Whoever has said all, or is gone, ends it for both: nothing here is half closed.
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def main() -> None:
    """Hand connections on until this process is ended."""
    listens, *behind = map(_address, sys.argv[1:])
    turns = itertools.cycle(behind)
    with socket.create_server(listens, backlog=256) as server:
        while True:
            client, _ = server.accept()
            threading.Thread(target=_serve, args=(client, turns, len(behind)), daemon=True).start()


if __name__ == "__main__":
    main()
