import pytest
import requests
import stripe

from tests.sandbox.wire import Clock, Controls, Receiver, session_params
from tests.support.waiting import wait_until


def event_types(controls: Controls) -> list[str]:
    return [event["type"] for event in reversed(controls.get("events"))]


def test_paying_completes_the_session_and_tells_of_it_in_order(client: stripe.StripeClient, controls: Controls) -> None:
    session = client.v1.checkout.sessions.create(session_params(payment_intent_data={"metadata": {"a": "1"}}))
    assert (session.status, session.payment_status, session.payment_intent) == ("open", "unpaid", None)

    answer = controls.act(session.id, "pay")

    assert answer["redirect_url"] == f"http://shop.test/done?session={session.id}"
    paid = client.v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent.latest_charge"]})
    assert (paid.status, paid.payment_status, paid.url) == ("complete", "paid", None)
    intent = paid.payment_intent
    assert isinstance(intent, stripe.PaymentIntent)
    assert isinstance(intent.latest_charge, stripe.Charge)
    assert (intent.status, intent.amount_received, intent.metadata["a"]) == ("succeeded", 1999, "1")
    assert intent.latest_charge.status == "succeeded"
    assert event_types(controls) == [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
        "checkout.session.completed",
    ]


def test_a_declined_card_leaves_the_session_open(client: stripe.StripeClient, controls: Controls) -> None:
    session = client.v1.checkout.sessions.create(session_params())

    assert controls.act(session.id, "decline")["decline_message"] == "Your card was declined."

    open_ = client.v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent"]})
    assert open_.status == "open"
    assert isinstance(open_.payment_intent, stripe.PaymentIntent)
    assert open_.payment_intent.status == "requires_payment_method"
    assert open_.payment_intent.last_payment_error is not None
    assert open_.payment_intent.last_payment_error.decline_code == "generic_decline"
    assert event_types(controls)[-1] == "payment_intent.payment_failed"


def test_the_second_card_pays_the_intent_the_first_one_failed(client: stripe.StripeClient, controls: Controls) -> None:
    session = client.v1.checkout.sessions.create(session_params())
    failed = controls.act(session.id, "decline")["session"]
    paid = controls.act(session.id, "pay")["session"]

    assert paid["payment_intent"] == failed["payment_intent"]
    assert len(client.v1.charges.list({"payment_intent": paid["payment_intent"]}).data) == 2
    assert client.v1.payment_intents.retrieve(paid["payment_intent"]).last_payment_error is None


@pytest.mark.parametrize(
    ("action", "payment_status", "intent_status", "last_event"),
    [
        ("settle", "paid", "succeeded", "checkout.session.async_payment_succeeded"),
        ("fail", "unpaid", "requires_payment_method", "checkout.session.async_payment_failed"),
    ],
)
def test_a_delayed_payment_completes_unpaid_and_ends_later(
    client: stripe.StripeClient,
    controls: Controls,
    *,
    action: str,
    payment_status: str,
    intent_status: str,
    last_event: str,
) -> None:
    session = client.v1.checkout.sessions.create(session_params())
    waiting = controls.act(session.id, "pay_later")["session"]
    assert (waiting["status"], waiting["payment_status"]) == ("complete", "unpaid")
    assert client.v1.payment_intents.retrieve(waiting["payment_intent"]).status == "processing"

    ended = controls.act(session.id, action)["session"]

    assert ended["payment_status"] == payment_status
    assert client.v1.payment_intents.retrieve(ended["payment_intent"]).status == intent_status
    assert event_types(controls)[-1] == last_event


def test_abandoning_sends_the_customer_back_and_changes_nothing(
    client: stripe.StripeClient, controls: Controls
) -> None:
    session = client.v1.checkout.sessions.create(session_params())
    answer = controls.act(session.id, "abandon")
    assert answer["redirect_url"] == "http://shop.test/cart"
    assert answer["session"]["status"] == "open"
    assert answer["event_ids"] == []


def test_a_session_past_its_time_expires_by_itself(
    client: stripe.StripeClient, controls: Controls, clock: Clock
) -> None:
    session = client.v1.checkout.sessions.create(session_params(expires_at=clock.now + 1800))
    controls.act(session.id, "decline")
    clock.now += 1800

    expired = client.v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent"]})

    assert (expired.status, expired.url) == ("expired", None)
    assert isinstance(expired.payment_intent, stripe.PaymentIntent)
    assert expired.payment_intent.status == "canceled"
    assert event_types(controls)[-2:] == ["payment_intent.canceled", "checkout.session.expired"]
    assert "error" in controls.act(session.id, "pay")


def test_the_timer_expires_sessions_nobody_looks_at(
    client: stripe.StripeClient, clock: Clock, receiver: Receiver
) -> None:
    client.v1.checkout.sessions.create(session_params())
    clock.now += 24 * 3600
    wait_until(lambda: receiver.types == ["checkout.session.expired"])


def test_a_free_order_completes_without_an_intent(client: stripe.StripeClient, controls: Controls) -> None:
    session = client.v1.checkout.sessions.create(session_params(unit_amount=0))
    paid = controls.act(session.id, "pay")["session"]
    assert (paid["status"], paid["payment_status"]) == ("complete", "no_payment_required")
    assert paid["payment_intent"] is None


@pytest.mark.parametrize(
    ("address", "status", "code"),
    [
        ("decline@shop.test", "open", "generic_decline"),
        ("asha+insufficient@shop.test", "open", "insufficient_funds"),
        ("expired-card@shop.test", "open", "expired_card"),
        ("later@shop.test", "complete", None),
        ("asha@shop.test", "complete", None),
    ],
)
def test_the_address_decides_what_pay_does(
    client: stripe.StripeClient, controls: Controls, *, address: str, status: str, code: str | None
) -> None:
    session = client.v1.checkout.sessions.create(session_params(customer_email=address))
    after = controls.act(session.id, "pay")["session"]
    intent = client.v1.payment_intents.retrieve(after["payment_intent"])
    error = intent.last_payment_error
    assert after["status"] == status
    assert (error.decline_code if error else None) == code


def test_the_saved_customers_address_counts_as_well(client: stripe.StripeClient, controls: Controls) -> None:
    customer = client.v1.customers.create({"email": "decline-once@shop.test"})
    session = client.v1.checkout.sessions.create(session_params(customer=customer.id))
    assert controls.act(session.id, "pay")["session"]["status"] == "open"
    assert controls.act(session.id, "pay")["session"]["payment_status"] == "paid"


def test_a_magic_amount_settles_after_two_seconds(
    client: stripe.StripeClient, controls: Controls, clock: Clock
) -> None:
    session = client.v1.checkout.sessions.create(session_params(unit_amount=480_200))
    assert controls.act(session.id, "pay")["session"]["payment_status"] == "unpaid"
    clock.now += 2
    wait_until(lambda: client.v1.checkout.sessions.retrieve(session.id).payment_status == "paid")


def test_what_is_over_cannot_happen_again(client: stripe.StripeClient, controls: Controls) -> None:
    session = client.v1.checkout.sessions.create(session_params())
    controls.act(session.id, "pay")
    for action in ("pay", "decline", "pay_later", "settle", "fail", "expire", "abandon"):
        assert controls.act(session.id, action) == {"error": f"Cannot {action} a session that is paid"}


def test_only_an_open_session_can_be_expired(client: stripe.StripeClient) -> None:
    session = client.v1.checkout.sessions.create(session_params())
    assert client.v1.checkout.sessions.expire(session.id).status == "expired"
    with pytest.raises(stripe.InvalidRequestError, match="status of expired"):
        client.v1.checkout.sessions.expire(session.id)


def test_a_person_can_pay_on_the_page(client: stripe.StripeClient) -> None:
    session = client.v1.checkout.sessions.create(session_params(currency="pkr", unit_amount=125_000))
    assert session.url is not None
    page = requests.get(session.url, timeout=5).text
    assert "PKR 1,250.00" in page
    assert "Tea" in page

    declined = requests.post(f"{session.url}/decline", timeout=5)
    assert "You can try again" in declined.text
    paid = requests.post(f"{session.url}/pay", timeout=5, allow_redirects=False)
    assert (paid.status_code, paid.headers["Location"]) == (
        303,
        f"http://shop.test/done?session={session.id}",
    )
    assert "is paid" in requests.get(session.url, timeout=5).text


def test_the_page_waits_for_the_webhook_before_sending_the_customer_back(
    client: stripe.StripeClient, receiver: Receiver
) -> None:
    session = client.v1.checkout.sessions.create(session_params())
    requests.post(f"{session.url}/pay", timeout=5, allow_redirects=False)
    assert "checkout.session.completed" in receiver.types


def test_the_page_shows_no_markup_from_a_product_name(client: stripe.StripeClient) -> None:
    params = session_params()
    params["line_items"][0]["price_data"]["product_data"]["name"] = "<script>alert(1)</script>"
    session = client.v1.checkout.sessions.create(params)
    assert "<script>" not in requests.get(str(session.url), timeout=5).text


def test_the_front_page_links_to_every_session(client: stripe.StripeClient, controls: Controls) -> None:
    session = client.v1.checkout.sessions.create(session_params())
    front = requests.get(controls.gateway.base_url, timeout=5).text
    assert f"/c/pay/{session.id}" in front
