"""A mail server that takes every mail, keeps none and counts them: the least work, so that it is nobody's limit."""

import asyncio
import threading
from collections.abc import Callable, Iterator

# As Postfix, Exim and Exchange do it offers PIPELINING; whoever does not use it is answered as before.
_ANSWERS = {
    b"EHLO": b"250-sink\r\n250 PIPELINING\r\n",
    b"HELO": b"250 sink\r\n",
    b"DATA": b"354 go on\r\n",
    b"QUIT": b"221 bye\r\n",
}
_END = b"\r\n.\r\n"


class MailSink:
    """Listens on a port of 127.0.0.1 in a thread of its own."""

    def __init__(self, port: int) -> None:
        self.received = 0
        self._port = port
        self._up = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="mail sink", daemon=True)

    def start(self) -> None:
        """Return once it listens."""
        self._thread.start()
        self._up.wait()

    async def _serve(self) -> None:
        server = await asyncio.get_running_loop().create_server(
            lambda: _Talk(self._count), "127.0.0.1", self._port, backlog=1024
        )
        self._up.set()
        async with server:
            await server.serve_forever()

    def _count(self) -> None:
        self.received += 1


class _Talk(asyncio.Protocol):
    """One connection; what came at once is answered at once."""

    def __init__(self, count: Callable[[], None]) -> None:
        self._count, self._heard, self._in_text = count, b"", False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        self._heard += data
        answers = b"".join(self._answers())
        self._transport.write(answers)
        if answers.endswith(_ANSWERS[b"QUIT"]):
            self._transport.close()

    def _answers(self) -> Iterator[bytes]:
        while (found := self._heard.partition(_END if self._in_text else b"\r\n"))[1]:
            line, _, self._heard = found
            command = line[:4].upper()
            if self._in_text:
                self._count()
                self._in_text = False
                yield b"250 taken\r\n"
                continue
            self._in_text = command == b"DATA"
            yield _ANSWERS.get(command, b"250 OK\r\n")
