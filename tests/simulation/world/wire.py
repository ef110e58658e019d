"""The wire both ways, a function each: our calls to the gateways, and their notices to our front."""

import io
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from unittest.mock import patch
from urllib.parse import urlsplit

import requests
from flask import Flask
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse

import sandbox.easypaisa.notices
import sandbox.jazzcash.notices
from payproc.application import Application
from payproc.database.engine import PASSING_TROUBLE
from payproc.errors import BadSignature, NoticeMalformed
from payproc.flows.inbox import accept
from payproc.providers.easy_paisa import EASY_PAISA
from payproc.providers.jazz_cash import JAZZ_CASH
from payproc.providers.notices import RawNotice
from sandbox.faults.injection import NO_ANSWER
from sandbox.outgoing import Reply
from tests.simulation.fate import Death, Fate, Moment

GATEWAY = "http://gateway.test"
FRONT = "http://front.test"


class Wire:
    """What carries a call to the gateways, and how many went over it."""

    def __init__(self, gateways: Flask, fate: Fate) -> None:
        self._client, self._fate = gateways.test_client(), fate
        self.calls = 0

    def send(self, adapter: HTTPAdapter, request: requests.PreparedRequest) -> requests.Response:
        """Carry one call of ours. Raises what `requests` does where no answer comes."""
        assert not self._fate.open_transactions, "a gateway was called inside a transaction"
        self.calls += 1
        self._fate.come_to(Moment.BEFORE_CALL)
        answer = self._client.open(
            request.path_url,
            base_url=GATEWAY,
            method=request.method or "GET",
            headers=list(request.headers.items()),
            data=request.body,
        )
        self._fate.come_to(Moment.AFTER_CALL)
        if answer.status_code == NO_ANSWER:
            raise requests.ReadTimeout("no answer")
        heard = HTTPResponse(
            io.BytesIO(answer.get_data()),
            headers=dict(answer.headers),
            status=answer.status_code,
            preload_content=False,
        )
        return adapter.build_response(request, heard)


class Front:
    """Where the wallets' notices arrive."""

    def __init__(self, app: Application) -> None:
        self._app = app

    def send(self, _method: str, url: str, payload: bytes | None, *, headers: dict[str, str], timeout: float) -> Reply:
        """Take one notice in and answer as the front does, or not at all where it dies of it."""
        assert timeout
        parts = urlsplit(url)
        method = JAZZ_CASH if "jazz-cash" in parts.path else EASY_PAISA
        named = {name.lower(): value for name, value in headers.items()}
        raw = RawNotice(body=payload or b"", headers=named, received_at=datetime.now(UTC), query=parts.query)
        try:
            taken = accept.accept_notice(self._app, method, raw)
        except (BadSignature, NoticeMalformed):
            return Reply(status=400)
        except PASSING_TROUBLE:
            return Reply(status=503)
        except Death:
            return Reply(error="connection reset")
        return Reply(status=200, body=json.dumps(dict(taken.answer or {"status": "received"})).encode())


@contextmanager
def wired(wire: Wire, front: Front) -> Iterator[None]:
    """Have all calls and notices of this process go over these."""
    with ExitStack() as patched:
        patched.enter_context(
            patch.object(HTTPAdapter, "send", lambda adapter, request, **_: wire.send(adapter, request))
        )
        for notices in (sandbox.jazzcash.notices, sandbox.easypaisa.notices):
            patched.enter_context(patch.object(notices, "send", front.send))
        yield
