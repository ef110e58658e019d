"""A mail server that takes every mail, keeps none and counts them: the least work, so that it is nobody's limit."""

import asyncio
import threading
from contextlib import suppress

_ANSWERS = {b"EHLO": b"250 sink\r\n", b"HELO": b"250 sink\r\n", b"DATA": b"354 go on\r\n", b"QUIT": b"221 bye\r\n"}


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
        server = await asyncio.start_server(self._talk, "127.0.0.1", self._port, backlog=1024)
        self._up.set()
        async with server:
            await server.serve_forever()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            writer.write(b"220 sink\r\n")
            while line := await reader.readline():
                command = line[:4].upper()
                writer.write(_ANSWERS.get(command, b"250 OK\r\n"))
                if command == b"DATA":
                    await reader.readuntil(b"\r\n.\r\n")
                    self.received += 1
                    writer.write(b"250 taken\r\n")
                if command == b"QUIT":
                    break
        writer.close()
