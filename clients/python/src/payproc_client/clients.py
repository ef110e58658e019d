"""The two clients, each with a socket of its own kind."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Iterator
from dataclasses import replace
from types import TracebackType
from typing import Self

import httpx

from payproc_client import resources
from payproc_client.calls import Call, Json, pause_before_another, read
from payproc_client.errors import NotAnswered

# A request that waits (`wait=`) is answered within 30 s.
_PATIENCE = httpx.Timeout(40, connect=5)


class Payproc:
    """A client. It keeps connections open: use it for long, from as many threads as you like, and close it."""

    def __init__(self, base_url: str, key: str, *, http: httpx.Client | None = None) -> None:
        self._http = http or httpx.Client(timeout=_PATIENCE)
        self._base, self._key = base_url.rstrip("/"), key
        self.orders = resources.Orders[Json, Iterator[Json]](self._send, self._each)
        self.payments = resources.Payments[Json, Iterator[Json]](self._send, self._each)
        self.refunds = resources.Refunds[Json, Iterator[Json]](self._send, self._each)
        self.customers = resources.Customers[Json, Iterator[Json]](self._send, self._each)
        self.disputes = resources.Disputes[Json, Iterator[Json]](self._send, self._each)
        self.events = resources.Events[Json, Iterator[Json]](self._send, self._each)
        self.webhook_endpoints = resources.WebhookEndpoints[Json, Iterator[Json]](self._send, self._each)
        self.webhook_deliveries = resources.WebhookDeliveries[Json, Iterator[Json]](self._send, self._each)
        self.staff = resources.Staff[Json, Iterator[Json]](self._send, self._each)

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def __enter__(self) -> Self:
        """Close it at the end."""
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def _send(self, call: Call) -> Json:
        tried = 0
        while True:
            tried += 1
            status, content, named, trouble = 0, b"", None, None
            try:
                answer = self._http.send(_request(self._http, self._base, self._key, call))
                status, content, named = answer.status_code, answer.content, answer.headers.get("Retry-After")
            except httpx.TransportError as error:
                trouble = error
            pause = pause_before_another(call, tried, status=status, content=content, named=named)
            if pause is None:
                return _read(status, content, trouble)
            time.sleep(pause)

    def _each(self, call: Call, noun: str) -> Iterator[Json]:
        while True:
            page = self._send(call)
            yield from page[noun]
            following = _next(call, page)
            if following is None:
                return
            call = following


class AsyncPayproc:
    """The same for asyncio: each method is awaited, and `each` is for `async for`."""

    def __init__(self, base_url: str, key: str, *, http: httpx.AsyncClient | None = None) -> None:
        self._http = http or httpx.AsyncClient(timeout=_PATIENCE)
        self._base, self._key = base_url.rstrip("/"), key
        self.orders = resources.Orders[Awaitable[Json], AsyncIterator[Json]](self._send, self._each)
        self.payments = resources.Payments[Awaitable[Json], AsyncIterator[Json]](self._send, self._each)
        self.refunds = resources.Refunds[Awaitable[Json], AsyncIterator[Json]](self._send, self._each)
        self.customers = resources.Customers[Awaitable[Json], AsyncIterator[Json]](self._send, self._each)
        self.disputes = resources.Disputes[Awaitable[Json], AsyncIterator[Json]](self._send, self._each)
        self.events = resources.Events[Awaitable[Json], AsyncIterator[Json]](self._send, self._each)
        self.webhook_endpoints = resources.WebhookEndpoints[Awaitable[Json], AsyncIterator[Json]](
            self._send, self._each
        )
        self.webhook_deliveries = resources.WebhookDeliveries[Awaitable[Json], AsyncIterator[Json]](
            self._send, self._each
        )
        self.staff = resources.Staff[Awaitable[Json], AsyncIterator[Json]](self._send, self._each)

    async def close(self) -> None:
        """Close its connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        """Close it at the end."""
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Close it."""
        await self.close()

    async def _send(self, call: Call) -> Json:
        tried = 0
        while True:
            tried += 1
            status, content, named, trouble = 0, b"", None, None
            try:
                answer = await self._http.send(_request(self._http, self._base, self._key, call))
                status, content, named = answer.status_code, answer.content, answer.headers.get("Retry-After")
            except httpx.TransportError as error:
                trouble = error
            pause = pause_before_another(call, tried, status=status, content=content, named=named)
            if pause is None:
                return _read(status, content, trouble)
            await asyncio.sleep(pause)

    async def _each(self, call: Call, noun: str) -> AsyncIterator[Json]:
        while True:
            page = await self._send(call)
            for item in page[noun]:
                yield item
            following = _next(call, page)
            if following is None:
                return
            call = following


def _request(http: httpx.Client | httpx.AsyncClient, base: str, key: str, call: Call) -> httpx.Request:
    headers = call.headers | {"Authorization": f"Bearer {key}", "Accept": "application/json"}
    return http.build_request(
        call.method, base + call.path, params=call.parameters or None, content=call.content, headers=headers
    )


def _read(status: int, content: bytes, trouble: httpx.TransportError | None) -> Json:
    if trouble is not None:
        raise NotAnswered(f"no answer ({type(trouble).__name__})") from trouble
    return read(status, content)


def _next(call: Call, page: Json) -> Call | None:
    cursor = page.get("next_cursor")
    if cursor is not None:
        return replace(call, query={**call.query, "cursor": cursor})
    # The feed has no end: it goes on after what was read, which may have been nothing that was asked for.
    if page.get("is_more"):
        return replace(call, query={**call.query, "after": page["next_after"]})
    return None
