import threading

import pytest
import requests
import stripe

from sandbox.gateway import RunningGateway
from tests.sandbox.paying import create, sessions
from tests.sandbox.wire import Clock, Connect, Controls
from tests.support.waiting import wait_until

CREATE = "POST /v1/checkout/sessions"


def test_the_same_key_and_parameters_open_one_session(client: stripe.StripeClient) -> None:
    first, second = create(client, "k"), create(client, "k")
    assert first.id == second.id
    assert sessions(client) == 1
    assert first.last_response is not None
    assert second.last_response is not None
    assert "Idempotent-Replayed" not in first.last_response.headers
    assert second.last_response.headers["Idempotent-Replayed"] == "true"


def test_the_same_key_with_other_parameters_is_refused(client: stripe.StripeClient) -> None:
    create(client, "k")
    with pytest.raises(stripe.IdempotencyError) as caught:
        create(client, "k", unit_amount=2000)
    assert caught.value.http_status == 400
    assert sessions(client) == 1


def test_a_key_may_have_255_characters_and_no_more(client: stripe.StripeClient) -> None:
    create(client, "k" * 255)
    with pytest.raises(stripe.InvalidRequestError, match="at most 255"):
        create(client, "k" * 256)


def test_a_validation_failure_leaves_the_key_free(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        create(client, "k", colour="red")
    assert create(client, "k").status == "open"


def test_a_refusal_during_execution_is_saved(client: stripe.StripeClient) -> None:
    for replayed in (None, "true"):
        with pytest.raises(stripe.InvalidRequestError) as caught:
            create(client, "k", customer="cus_nobody")
        assert caught.value.headers is not None
        assert caught.value.headers.get("Idempotent-Replayed") == replayed


def test_a_key_is_forgotten_after_a_day(client: stripe.StripeClient, clock: Clock) -> None:
    first = create(client, "k")
    clock.now += 24 * 3600
    assert create(client, "k").id != first.id


def test_a_key_in_flight_is_a_conflict(
    client: stripe.StripeClient, gateway: RunningGateway, connect: Connect, controls: Controls
) -> None:
    controls.fault(CREATE, "slow", seconds=0.4)
    running = threading.Thread(target=create, args=(connect(gateway.base_url), "k"))
    running.start()
    wait_until(lambda: controls.get("faults") == [])

    with pytest.raises(stripe.APIError) as caught:
        create(client, "k")

    running.join()
    assert caught.value.http_status == 409
    assert caught.value.error is not None
    assert caught.value.error.code == "idempotency_key_in_use"
    assert create(client, "k").status == "open"
    assert sessions(client) == 1


def test_a_key_means_nothing_to_a_get(gateway: RunningGateway) -> None:
    headers = {"Authorization": "Bearer sk_test_x", "Idempotency-Key": "k" * 300}
    for _ in range(2):
        answer = requests.get(f"{gateway.base_url}/v1/customers", headers=headers, timeout=5)
        assert answer.status_code == 200
        assert "Idempotent-Replayed" not in answer.headers


def test_twenty_at_once_under_one_key_open_one_session(
    gateway: RunningGateway, connect: Connect, client: stripe.StripeClient
) -> None:
    seen: list[str] = []

    def try_once() -> None:
        try:
            seen.append(create(connect(gateway.base_url), "k").id)
        except stripe.APIError as error:
            seen.append(str(error.http_status))

    threads = [threading.Thread(target=try_once) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 20
    assert len(set(seen) - {"409"}) == 1
    assert sessions(client) == 1
