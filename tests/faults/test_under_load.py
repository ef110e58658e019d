"""A few of the table's faults under a small load, and that its judge would see what is lost or doubled.

All of them, under all of the load, are `make faults`.
"""

import smtplib
from collections.abc import Callable
from email.message import EmailMessage

import pytest
import requests

from sandbox.stack.running import Stack
from tests.faults.shop import Shop
from tests.faults.table.grounds import Grounds
from tests.faults.table.judge import Judge
from tests.faults.table.kinds import broker, database, processes
from tests.faults.table.load import Accepted, Rates
from tests.faults.table.row import Fault, row

pytestmark = pytest.mark.processes

FEW = Rates(creates=2, webhooks=16)
SHORT = [processes.FAULTS[0], broker.FAULTS[0], database.FAULTS[1]]


@pytest.fixture
def grounds(stack: Stack) -> Grounds:
    return Grounds(stack=stack, scale=0.2)


@pytest.mark.parametrize("fault", SHORT, ids=lambda fault: fault.title)
def test_all_that_was_accepted_is_done_once_under_load(shop: Shop, grounds: Grounds, fault: Fault) -> None:
    found = row(fault, grounds, FEW)
    assert found.accepted > 0, shop
    assert found.is_kept, found


@pytest.fixture
def done(shop: Shop) -> tuple[Shop, Judge, Accepted]:
    """A payment that was accepted, paid and done, and who judges it."""
    judge = Judge.of(Grounds(stack=shop.stack))
    payment_id = shop.checkout()["payment_id"]
    shop.pay(shop.session_of(payment_id))
    shop.becomes(payment_id, "completed")
    assert shop.has_its_one_receipt(payment_id)
    return shop, judge, Accepted(payments=frozenset({payment_id}), events=frozenset())


def test_the_judge_finds_nothing_where_all_is_well(done: tuple[Shop, Judge, Accepted]) -> None:
    _, judge, accepted = done
    found = judge.verdict(accepted)
    assert (found.lost, found.doubled, found.mailed_twice, found.broken) == (0, 0, 0, ())


def test_the_judge_sees_what_was_accepted_and_is_not_there(done: tuple[Shop, Judge, Accepted]) -> None:
    _, judge, accepted = done
    lost = Accepted(payments=accepted.payments | {"pay_of_nobody"}, events=frozenset({"evt_of_nobody"}))
    assert judge.verdict(lost).lost == 2


def _makes_a_second_session(shop: Shop, payment_id: str) -> None:
    told = {"client_reference_id": payment_id, "mode": "payment", "success_url": "https://example.com/thanks"}
    items = {
        "line_items[0][quantity]": "1",
        "line_items[0][price_data][currency]": "usd",
        "line_items[0][price_data][unit_amount]": "1999",
        "line_items[0][price_data][product_data][name]": "Two mangoes",
    }
    key = {"Authorization": "Bearer sk_test_by_hand"}
    url = f"{shop.stack.gateway_url}/v1/checkout/sessions"
    made = requests.post(url, data=told | items, headers=key, timeout=30)
    assert made.ok, made.text


def _mails_another_receipt(shop: Shop, payment_id: str) -> None:
    letter = EmailMessage()
    letter["From"], letter["To"], letter["Message-ID"] = "shop@example.com", "amina@example.com", "<another@shop>"
    letter["Subject"] = _subject_of_receipt(shop, payment_id)
    with smtplib.SMTP("127.0.0.1", shop.stack.site.ports.smtp, timeout=30) as server:
        server.send_message(letter)


def _subject_of_receipt(shop: Shop, payment_id: str) -> str:
    reference = shop.payment(payment_id)["reference"]
    told = [str(mail["subject"]) for mail in shop.sandbox("GET", "mail") if reference in mail["subject"]]
    return next(subject for subject in told if subject.startswith("Receipt"))


@pytest.mark.parametrize(("double", "counted"), [(_makes_a_second_session, (1, 0)), (_mails_another_receipt, (0, 1))])
def test_the_judge_sees_what_was_done_twice(
    done: tuple[Shop, Judge, Accepted], double: Callable[[Shop, str], None], counted: tuple[int, int]
) -> None:
    shop, judge, accepted = done
    [payment_id] = accepted.payments
    double(shop, payment_id)
    found = judge.verdict(accepted)
    assert (found.doubled, found.mailed_twice) == counted
