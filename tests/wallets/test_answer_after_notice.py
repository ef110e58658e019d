"""Two doors for one fact: what a call's answer says counts as much as what a notice, a poll or a list says."""

import json
import threading
from collections.abc import Iterable, Iterator
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
import requests
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from payproc.database.models import Refund, ReviewKind
from payproc.domain.states import PaymentStatus, RefundStatus
from payproc.providers.jazz_cash import JAZZ_CASH
from payproc.providers.jazz_cash.signature import sign
from tests.support.wallet_world import SECRETS, WalletWorld

NOTIFY = "/api/v1/payments/jazz-cash/notify"
CONFIRMED = "121"


class TalkativeGateway:
    """A JazzCash whose notice says that the payment was made while our push still waits for its answer."""

    def __init__(self, world: WalletWorld) -> None:
        self.world = world
        self.answer = "000"
        self._server = make_server("127.0.0.1", 0, self, threaded=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}/push"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        pushed = {name: value for name, value in json.loads(Request(environ).get_data()).items() if value}
        self._notify(pushed)
        body = _signed(pushed, pp_ResponseCode=self.answer, pp_RetreivalReferenceNo="261124123456")
        return Response(json.dumps(body), mimetype="application/json")(environ, start_response)

    def _notify(self, pushed: dict[str, str]) -> None:
        body = _signed(pushed, pp_ResponseCode=CONFIRMED)
        assert requests.post(self.world.front.url + NOTIFY, data=json.dumps(body), timeout=5).ok
        self.world.drain()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _signed(pushed: dict[str, str], **said: str) -> dict[str, str]:
    echoed = {name: pushed[name] for name in ("pp_TxnRefNo", "pp_TxnDateTime", "pp_Amount", "pp_TxnCurrency")}
    told = {"pp_Version": "2.0", "pp_TxnType": "MWALLET", "pp_ResponseMessage": "So it is.", **echoed, **said}
    return sign(told, SECRETS.jazz_cash_integrity_salt)


@pytest.fixture
def gateway_that_tells_first(wallet_world: WalletWorld) -> Iterator[TalkativeGateway]:
    gateway = TalkativeGateway(wallet_world)
    gateway.world = wallet_world.speaking(jazz_cash_dialect="mwallet-2.0", jazz_cash_push_url=gateway.url)
    yield gateway
    gateway.stop()


def refunded(world: WalletWorld) -> list[tuple[int, RefundStatus]]:
    return [(refund.amount_minor, refund.status) for refund in world.rows(Refund)]


@pytest.mark.parametrize("code", ["131", "122"])
def test_a_push_answered_reversed_after_its_notice_completed_it_is_a_refund(
    gateway_that_tells_first: TalkativeGateway, code: str
) -> None:
    gateway_that_tells_first.answer = code
    world = gateway_that_tells_first.world
    payment = world.begin(JAZZ_CASH)

    assert refunded(world) == [(125050, RefundStatus.SUCCEEDED)]
    assert world.status(payment.id) is PaymentStatus.REFUNDED
    assert [review.kind for review in world.reviews()] == [ReviewKind.REVERSED]


def test_a_push_answered_paid_after_its_notice_completed_it_changes_nothing(
    gateway_that_tells_first: TalkativeGateway,
) -> None:
    world = gateway_that_tells_first.world
    payment = world.begin(JAZZ_CASH)

    assert (refunded(world), world.reviews()) == ([], [])
    assert world.status(payment.id) is PaymentStatus.COMPLETED
