"""After a restore: what was not sent, as far as we know, is asked about before it goes out."""

import pytest

from payproc.database.models import CallState, Payment, Refund
from payproc.domain.money import Money
from payproc.domain.states import RefundStatus
from payproc.flows.doubt import Doubted, doubt_unsent
from payproc.flows.request_refund import request_refund
from payproc.providers.easy_paisa import EASY_PAISA
from payproc.providers.requests import Operation
from tests.support.wallet_world import WalletWorld
from tests.support.world import World


def doubt(world: World) -> Doubted:
    with world.app.database.transaction() as session:
        return doubt_unsent(world.app, session)


def asked_for(world: World, payment: Payment) -> Refund:
    with world.app.database.transaction() as session:
        return request_refund(world.app, session, payment.id, user=world.customer, money=Money.of(500, "usd"))


def amounts_at_stripe(world: World, payment: Payment) -> list[int]:
    assert payment.stripe_payment_intent_id is not None
    words = {"payment_intent": payment.stripe_payment_intent_id}
    return [each.amount for each in world.stripe().v1.refunds.list(words).data]  # type: ignore[arg-type]  # the SDK's TypedDict


def time_passes(world: World) -> None:
    for _ in range(3):
        world.make_due()
        world.drain()


class TestRefunds:
    def test_one_that_was_not_sent_is_asked_about_and_then_sent_once(self, world: World) -> None:
        payment = world.paid()
        asked_for(world, payment)
        assert doubt(world) == Doubted(pushes=0, refunds=1)
        time_passes(world)
        assert amounts_at_stripe(world, payment) == [500]
        assert [each.status for each in world.rows(Refund)] == [RefundStatus.SUCCEEDED]

    def test_it_is_doubted_once(self, world: World) -> None:
        asked_for(world, world.paid())
        assert [doubt(world).refunds, doubt(world).refunds] == [1, 0]


@pytest.fixture
def wallet(wallet_world: WalletWorld) -> WalletWorld:
    return wallet_world.speaking(easy_paisa_dialect="rest-v4", jazz_cash_dialect="mwallet-2.0")


class TestPushes:
    def test_one_that_was_not_sent_rings_nobody(self, wallet: WalletWorld) -> None:
        payment = wallet.take(EASY_PAISA)
        assert doubt(wallet) == Doubted(pushes=1, refunds=0)
        time_passes(wallet)
        [call] = wallet.calls()
        assert (call.operation, call.subject, call.state) == (Operation.START, payment.id, CallState.SENT)
        assert wallet.status(payment.id) == "pending"

    def test_one_that_was_answered_is_in_no_doubt(self, wallet: WalletWorld) -> None:
        wallet.begin(EASY_PAISA, phone="03000000005")
        assert doubt(wallet) == Doubted(pushes=0, refunds=0)
