import pytest
import stripe

from sandbox.gateway import GatewayConfig, start_gateway
from tests.sandbox.paying import paid
from tests.sandbox.wire import Clock, Connect, Controls, Receiver, session_params
from tests.support.waiting import wait_until


def open_sessions(client: stripe.StripeClient, count: int) -> list[str]:
    return [client.v1.checkout.sessions.create(session_params()).id for _ in range(count)]


def test_a_list_is_newest_first_and_says_whether_there_is_more(client: stripe.StripeClient) -> None:
    ids = open_sessions(client, 3)
    page = client.v1.checkout.sessions.list({"limit": 2})
    assert [session.id for session in page.data] == [ids[2], ids[1]]
    assert page.has_more is True
    rest = client.v1.checkout.sessions.list({"limit": 2, "starting_after": ids[1]})
    assert [session.id for session in rest.data] == [ids[0]]
    assert rest.has_more is False


def test_the_sdk_pages_in_both_directions(client: stripe.StripeClient) -> None:
    ids = open_sessions(client, 7)
    backwards = client.v1.checkout.sessions.list({"limit": 2})
    assert [session.id for session in backwards.auto_paging_iter()] == ids[::-1]
    forwards = client.v1.checkout.sessions.list({"limit": 2, "ending_before": ids[0]})
    assert [session.id for session in forwards.auto_paging_iter()] == ids[1:]


def test_sessions_are_filtered_by_time_status_customer_and_intent(
    client: stripe.StripeClient, controls: Controls, clock: Clock
) -> None:
    customer = client.v1.customers.create({"email": "asha@shop.test"})
    old = client.v1.checkout.sessions.create(session_params(customer=customer.id)).id
    clock.now += 100
    new = client.v1.checkout.sessions.create(session_params()).id
    intent = controls.act(old, "pay")["session"]["payment_intent"]
    found = client.v1.checkout.sessions.list

    assert [s.id for s in found({"created": {"gte": clock.now}}).data] == [new]
    assert [s.id for s in found({"created": {"lt": clock.now}}).data] == [old]
    assert [s.id for s in found({"status": "complete"}).data] == [old]
    assert [s.id for s in found({"customer": customer.id}).data] == [old]
    expanded = found({"payment_intent": intent, "expand": ["data.payment_intent.latest_charge"]}).data
    assert isinstance(expanded[0].payment_intent, stripe.PaymentIntent)
    assert isinstance(expanded[0].payment_intent.latest_charge, stripe.Charge)


def test_events_are_filtered_by_type(client: stripe.StripeClient, controls: Controls) -> None:
    session_id = open_sessions(client, 1)[0]
    controls.act(session_id, "pay")
    wanted = ["checkout.session.completed", "payment_intent.succeeded"]
    assert [event.type for event in client.v1.events.list({"types": wanted}).data] == wanted
    one = client.v1.events.list({"type": "charge.succeeded"}).data
    assert [event.type for event in one] == ["charge.succeeded"]
    assert client.v1.events.retrieve(one[0].id).data.object["object"] == "charge"


def test_events_are_forgotten_after_thirty_days(client: stripe.StripeClient, controls: Controls, clock: Clock) -> None:
    controls.act(open_sessions(client, 1)[0], "pay")
    clock.now += 30 * 24 * 3600
    assert client.v1.events.list().data == []


def test_customers_are_found_by_address_and_changed(client: stripe.StripeClient) -> None:
    asha = client.v1.customers.create({"email": "asha@shop.test", "metadata": {"a": "1", "b": "2"}})
    client.v1.customers.create({"email": "bilal@shop.test"})
    assert [c.id for c in client.v1.customers.list({"email": "asha@shop.test"}).data] == [asha.id]
    changed = client.v1.customers.update(asha.id, {"name": "Asha", "metadata": {"a": ""}})
    assert (changed.name, changed.metadata.to_dict() if changed.metadata else None) == ("Asha", {"b": "2"})


def test_a_restart_forgets_nothing(tmp_path: object, receiver: Receiver, connect: Connect) -> None:
    config = GatewayConfig(
        webhook_url=receiver.url, webhook_secret="whsec_test", state_path=f"{tmp_path}/gateway.sqlite"
    )
    before = start_gateway(config)
    client = connect(before.base_url)
    session = client.v1.checkout.sessions.create(session_params(), {"idempotency_key": "k"})
    Controls(before).post("webhook", {"pause": True})
    Controls(before).act(session.id, "pay")
    before.stop()
    assert receiver.accepted == []

    after = start_gateway(config)
    client = connect(after.base_url)
    wait_until(lambda: len(receiver.accepted) == 4)
    repeated = client.v1.checkout.sessions.create(session_params(), {"idempotency_key": "k"})
    assert repeated.id == session.id
    assert client.v1.checkout.sessions.retrieve(session.id).payment_status == "paid"
    after.stop()


def test_a_reset_forgets_everything(client: stripe.StripeClient, controls: Controls) -> None:
    controls.act(open_sessions(client, 1)[0], "pay")
    controls.post("reset")
    assert controls.get("sessions") == controls.get("events") == controls.get("deliveries") == []


def test_an_event_that_is_forgotten_or_unknown_is_no_cursor(
    client: stripe.StripeClient, controls: Controls, clock: Clock
) -> None:
    controls.act(open_sessions(client, 1)[0], "pay")
    last = client.v1.events.list({"limit": 1}).data[0].id
    assert client.v1.events.list({"ending_before": last}).data == []
    clock.now += 30 * 24 * 3600
    for cursor in (last, "evt_nobody"):
        with pytest.raises(stripe.InvalidRequestError) as caught:
            client.v1.events.list({"ending_before": cursor})
        assert (caught.value.http_status, caught.value.code) == (400, "resource_missing")
        assert caught.value.param == "ending_before"


def test_more_than_twenty_types_of_event_are_refused(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.events.list({"types": ["charge.succeeded"] * 21})


def test_balance_transactions_are_filtered_by_type_currency_source_and_time(
    client: stripe.StripeClient, controls: Controls, clock: Clock
) -> None:
    dollars, euros = paid(client, controls), paid(client, controls, currency="eur")
    clock.now += 10
    refund = client.v1.refunds.create({"charge": dollars.id})
    found = client.v1.balance_transactions.list
    assert [line.source for line in found({"type": "refund"}).data] == [refund.id]
    assert [line.source for line in found({"currency": "eur"}).data] == [euros.id]
    assert [line.source for line in found({"created": {"gte": clock.now}}).data] == [refund.id]
    expanded = found({"source": dollars.id, "expand": ["data.source.payment_intent"]}).data[0].source
    assert isinstance(expanded, stripe.Charge)
    assert isinstance(expanded.payment_intent, stripe.PaymentIntent)
