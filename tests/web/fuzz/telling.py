"""Deliveries sent to the front as its server would bring them, and what must be true of each answer and of the rows."""

import io
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote
from wsgiref.types import WSGIEnvironment

from hypothesis import strategies as st
from sqlalchemy import select
from werkzeug.test import EnvironBuilder, TestResponse, run_wsgi_app
from werkzeug.wrappers import Request

from payproc.database.models import Notice, NoticeState
from payproc.providers.jazz_cash import JAZZ_CASH
from payproc.providers.stripe import STRIPE
from tests.support.configuration import WEBHOOK_SECRET
from tests.support.contract.leaks import leaks
from tests.support.wallet_world import SECRETS
from tests.web.fuzz.budget import again, run_many
from tests.web.fuzz.deliveries import PAYERS_MPIN, PAYERS_PHONE, Delivery, in_other_hands
from tests.web.fuzz.front import Front

Maker = Callable[[Any, Front], Delivery]

# What becomes of a notice that was kept: its row and its job, or the job that stood there already, sooner.
_OF_A_NOTICE = {"INSERT notices", "INSERT jobs", "UPDATE jobs"}
# What fills one row however many come (the address of an Easypaisa notice that names no order of our account).
_ONE_ROW = "easy_paisa.ipn.unusable"
_SECRETS = (
    *(WEBHOOK_SECRET, SECRETS.jazz_cash_password, SECRETS.jazz_cash_integrity_salt, SECRETS.easy_paisa_password),
    *(SECRETS.easy_paisa_store_password, SECRETS.easy_paisa_hash_key, PAYERS_MPIN, PAYERS_PHONE),
)


def tell_many(front: Front, *makers: Maker, count: int) -> None:
    """Deliver so many, some as they should be and some in other hands. Raises what is wrong with an answer or a row."""
    for maker in makers:
        _tell_many(front, maker, count=-(-count // len(makers)))
    told = {status for _, status in front.answers}
    assert told & {200, 303}, told
    assert told & {400, 403, 404}, told
    assert sum(front.answers.values()) >= count * 0.98
    assert not leaks("\n".join(_kept_of_wallets(front)), _SECRETS), again()


def _tell_many(front: Front, maker: Maker, *, count: int) -> None:
    def one(data: st.DataObject, *, at_once: bool) -> None:
        delivery = in_other_hands(data.draw, maker(data.draw, front))
        _tell(front, delivery, at_once=at_once)

    run_many(one, count=count, what=maker.__name__, data=st.data(), at_once=st.booleans())


def _tell(front: Front, delivery: Delivery, *, at_once: bool) -> None:
    front.lines.clear()
    environ = _environ(delivery)
    if at_once:
        # As the front does with those that wait at the same time.
        front.flask_app.extensions["intake"].take([environ])
    answer = TestResponse(*run_wsgi_app(front.flask_app, environ), request=Request(environ))
    front.answers[delivery.path, answer.status_code] += 1
    seen = f"{delivery} {answer.status_code} {answer.text[:300]} {front.lines} {again()}"
    assert answer.status_code < 500, seen
    _check_rows(front, delivery, answer, seen)
    assert not leaks(answer.text + repr(front.lines), _SECRETS), seen
    if answer.status_code >= 400:
        assert answer.content_type == "application/problem+json", seen


def _environ(delivery: Delivery) -> WSGIEnvironment:
    environ = EnvironBuilder(delivery.path, method=delivery.method).get_environ()
    environ |= {"QUERY_STRING": delivery.query, "wsgi.input": io.BytesIO(delivery.body)}
    environ |= {"CONTENT_LENGTH": str(len(delivery.body)), "REMOTE_ADDR": "203.0.113.7"}
    for name, value in delivery.headers.items():
        environ["CONTENT_TYPE" if name == "content-type" else f"HTTP_{name.upper().replace('-', '_')}"] = value
    return environ


def _check_rows(front: Front, delivery: Delivery, answer: TestResponse, seen: str) -> None:
    written = front.written.since()
    if not written:
        return
    seen = f"{written} {seen}"
    assert written <= _OF_A_NOTICE, seen
    if delivery.signed:
        return
    if "INSERT notices" in written:
        newest = _newest(front)
        if newest.key == _ONE_ROW or _asks_or_says_the_same(newest, delivery):
            return
        assert newest.state is not NoticeState.NEW, seen
    # A browser that comes back from one wallet with what another signed is shown nothing, though it is kept.
    assert answer.status_code in (200, 303), seen
    named = f"{unquote(delivery.query)} {delivery.body.decode('utf-8', 'replace')}"
    assert any(name in named for name in front.known["reference"]), seen


def _asks_or_says_the_same(newest: Notice, delivery: Delivery) -> bool:
    """Whether a hash of JazzCash's, which covers values and no names, was rightly found to fit other bytes.

    Then they are a reason to ask, or say just what was signed.
    """
    if newest.provider != JAZZ_CASH or newest.state is not NoticeState.NEW or not delivery.told:
        return False
    kept = json.loads(newest.body)
    said = {name: value for name, value in kept["fields"].items() if name != "pp_ResponseMessage" and value != "***"}
    return not kept["certain"] or said.items() <= delivery.told.items()


def _newest(front: Front) -> Notice:
    with front.app.database.transaction() as session:
        return session.scalars(select(Notice).order_by(Notice.received_at.desc()).limit(1)).one()


def _kept_of_wallets(front: Front) -> list[str]:
    with front.app.database.transaction() as session:
        notices = session.scalars(select(Notice).where(Notice.provider != STRIPE))
        return [repr((each.body, each.headers)) for each in notices]
