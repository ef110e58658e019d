"""One connection: how long it may take, and how its request is carried out."""

import time
from http import HTTPStatus
from typing import Any

import structlog
from waitress.buffers import OverflowableBuffer, ReadOnlyFileBasedBuffer
from waitress.channel import ClientDisconnected, HTTPChannel
from waitress.task import ErrorTask, WSGITask

from payproc.operations import logs
from web.errors import code_of, problem
from web.front.lanes import Lane, lane_of
from web.front.limits import Limits
from web.request.naming import REQUEST_ID, new_name

log = structlog.get_logger()

# Answers up to here leave in one piece, head and body together: a system call and a packet instead of two of each.
_ONE_PIECE = 64 * 1024


class Refused:
    """waitress' verdict on a request, in the shape of all our errors. What was sent is not repeated."""

    def __init__(self, code: int) -> None:
        self._code = HTTPStatus(code)

    def to_response(self, _ident: str | None = None) -> tuple[str, list[tuple[str, str]], bytes]:
        """Write the answer, as waitress asks for it."""
        detail = f"{self._code.description or self._code.phrase}."
        answer = problem(self._code, detail, code=code_of(self._code))
        return (
            f"{self._code.value} {self._code.phrase}",
            [("Content-Type", str(answer.content_type)), (REQUEST_ID, new_name())],
            answer.get_data(),
        )


class Refusal(ErrorTask):  # type: ignore[misc]  # waitress ships no types
    """The answer to what is no request, or a larger one than any of ours."""

    def execute(self) -> None:
        """Answer, and end the connection."""
        self.request.error = Refused(self.request.error.code)
        super().execute()


class Answer(WSGITask):  # type: ignore[misc]  # waitress ships no types
    """What the application answers."""

    def build_response_header(self) -> bytes:
        """Write the head; where we are about to stop, the next request goes to another connection."""
        if self.channel.server.is_stopping:
            self.set_close_on_finish()
        head: bytes = super().build_response_header()
        return head


class Channel(HTTPChannel):  # type: ignore[misc]  # waitress ships no types
    """A connection that a peer holds at our pace: bytes that come or go too slowly end it."""

    server: Any  # the Server of server.py, which makes these
    _limits: Limits

    def __init__(self, server: Any, *rest: Any, **named: Any) -> None:  # noqa: ANN401 (waitress' own)
        self._begin()
        self._limits = server.limits
        self._received = self._written = 0
        self._asked_before = False
        # A thread is about to hand its answer to the kernel.
        self._is_sending = False
        # The answer that is under way, where it was prepared.
        self._prepared: Answer | None = None
        super().__init__(server, *rest, **named)

    def _begin(self) -> None:
        # When what it is at began: to be silent, to send a request, to take an answer.
        self._since = self._looked_at = time.monotonic()
        self._moved_then = 0

    @property
    def lane(self) -> Lane:
        """The lane of the request that has come whole."""
        request = self.requests[0]
        return Lane.FILES if request.error else lane_of(request.path, prefer=request.headers.get("PREFER", ""))

    @property
    def holds(self) -> int:
        """Bytes of requests that are kept for it."""
        coming = [each for each in (self.request, *self.requests) if each is not None]
        return sum(len(each.header_plus) + (len(each.body_rcv) if each.body_rcv else 0) for each in coming)

    @property
    def waits_since(self) -> float | None:
        """Since when its peer lets us wait; None while it waits for us."""
        return None if self.requests and not self.total_outbufs_len else self._since

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way on it."""
        return not self.requests and self.request is None and not self.total_outbufs_len

    def is_overdue(self, now: float) -> bool:
        """Tell whether its peer took longer than it may."""
        limits, seconds = self._limits, now - self._since
        if self.total_outbufs_len:
            return self._is_too_slow(now, moved=self._written - self.total_outbufs_len)
        if self.requests:
            return False
        if self.request is not None:
            return seconds > limits.request or self._is_too_slow(now, moved=self._received)
        return seconds > (limits.silence if self._asked_before else limits.first_silence)

    def _is_too_slow(self, now: float, *, moved: int) -> bool:
        # Since the last look, not since the beginning: what the kernels on the way take at first, nobody has read.
        limits, seconds = self._limits, now - self._looked_at
        if seconds < limits.grace:
            return False
        before, self._moved_then, self._looked_at = self._moved_then, moved, now
        return moved - before < limits.least_rate * seconds

    def received(self, data: bytes) -> bool:
        """Take bytes of a request."""
        arriving = self.request
        taken: bool = super().received(data)
        if self.request is not arriving and self.request is not None:
            self._begin()
            self._received = 0
        self._received += len(data)
        return taken

    def write_soon(self, data: Any) -> int:  # noqa: ANN401 (bytes, or a file of waitress')
        """Keep a part of an answer, and send it once that is worth it.

        Raises ClientDisconnected.
        """
        if not self.connected:
            raise ClientDisconnected
        if not self.total_outbufs_len:
            self._begin_answer()
        self._written += len(data)
        if not isinstance(data, ReadOnlyFileBasedBuffer) and self.total_outbufs_len + len(data) <= _ONE_PIECE:
            return self._keep(data)
        kept: int = super().write_soon(data)
        self._tell_loop()
        return kept

    def _begin_answer(self) -> None:
        self._begin()
        self._written = 0
        with self.outbuf_lock:
            # One that was too small once keeps all that it ever held.
            if self.outbufs[-1].buf is not None:
                self.outbufs.append(OverflowableBuffer(self.adj.outbuf_overflow))

    def _keep(self, data: bytes) -> int:
        with self.outbuf_lock:
            if not self.connected:
                raise ClientDisconnected
            self.outbufs[-1].append(data)
            self.total_outbufs_len += len(data)
        return len(data)

    def request_environ(self) -> dict[str, Any]:
        """Return the WSGI environment of the request that has come whole, in which `service` carries it out."""
        self._prepared = Answer(self, self.requests[0])
        environ: dict[str, Any] = self._prepared.get_environment()
        return environ

    def service(self) -> None:
        """Carry out the request that has come whole, in a lane's thread. What the peer is slow to take, the loop sends.

        waitress' own wakes the loop after each request; this one does where the loop has something to do.
        """
        request = self.requests[0]
        is_last = self._carry_out(request)
        request.close()
        self._asked_before = True
        # Before the answer leaves: the next request may be here before this thread takes another step.
        self._is_sending = True
        if not self.total_outbufs_len:
            self._begin()
        self._go_on(is_last=is_last)
        with self.outbuf_lock:
            if self.total_outbufs_len:
                self._flush_exception(self._flush_some, do_close=False)
        self._is_sending = False
        if self.total_outbufs_len or self.close_when_flushed or self.will_close or self._map.rests(self._fileno):
            self._tell_loop()

    def readable(self) -> bool:
        """Tell whether another request may come."""
        ending = self.will_close or self.close_when_flushed
        return not (ending or self.requests or (self.total_outbufs_len and not self._is_sending))

    def writable(self) -> bool:
        """Tell whether the loop has something to do here; while a thread sends, it would only be in its way."""
        return not self._is_sending and bool(self.total_outbufs_len or self.will_close or self.close_when_flushed)

    def handle_write(self) -> None:
        """Send what is left, in the loop; a thread may still add to it."""
        if self.total_outbufs_len:
            self._flush_exception(self._flush_some_if_lockable)
        if self.will_close or (self.close_when_flushed and not self.total_outbufs_len):
            self.handle_close()

    def _carry_out(self, request: Any) -> bool:  # noqa: ANN401 (waitress' own)
        task = self._prepared or (Refusal if request.error else Answer)(self, request)
        self._prepared = None
        # Whoever has gone gets no answer; what a provider tells us counts, whether or not it waits for our thanks.
        if not self.connected and self.lane is not Lane.NOTICES:
            return True
        try:
            task.service()
        except ClientDisconnected:
            return True
        except Exception as defect:
            log.exception("a defect in an answer", **logs.described(defect))
            return True
        return bool(task.close_on_finish)

    def _go_on(self, *, is_last: bool) -> None:
        with self.requests_lock:
            if is_last:
                self.close_when_flushed = True
                self.requests.clear()
                return
            self.requests.pop(0)
            if self.requests and self.connected:
                self.server.add_task(self)

    def _tell_loop(self) -> None:
        if self.connected and self._fileno is not None:
            self._map.changed(self._fileno)
            self.server.pull_trigger()

    def del_channel(self, map: Any = None) -> None:  # noqa: A002, ANN401 (waitress' own)
        """Leave the loop."""
        if self._fileno is not None:
            self.server.left(self)
        super().del_channel(map)
