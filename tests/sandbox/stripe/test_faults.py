import pytest
import stripe

from tests.sandbox.paying import create, sessions
from tests.sandbox.wire import Controls

CREATE = "POST /v1/checkout/sessions"


@pytest.fixture
def patience() -> float:
    """Short, since these tests wait for it to be over."""
    return 2


@pytest.mark.parametrize(
    ("fault", "error", "status", "executed"),
    [
        ("timeout_before", stripe.APIConnectionError, None, False),
        ("timeout_after", stripe.APIConnectionError, None, True),
        ("drop_connection", stripe.APIConnectionError, None, False),
        ("error_500_before", stripe.APIError, 500, False),
        ("error_500_after", stripe.APIError, 500, True),
        ("error_502_after", stripe.APIError, 502, True),
        ("rate_limit_429", stripe.RateLimitError, 429, False),
        ("conflict_409", stripe.APIError, 409, False),
        ("html_200", stripe.APIError, 200, False),
        ("truncated_json", stripe.APIError, 200, True),
    ],
)
def test_a_fault_breaks_one_call(
    client: stripe.StripeClient,
    controls: Controls,
    *,
    fault: str,
    error: type[stripe.StripeError],
    status: int | None,
    executed: bool,
) -> None:
    controls.fault(CREATE, fault)
    with pytest.raises(error) as caught:
        create(client, "k")
    assert caught.value.http_status == status
    assert sessions(client) == (1 if executed else 0)


@pytest.mark.parametrize("fault", ["timeout_before", "timeout_after", "error_500_before", "error_502_after"])
def test_the_same_key_heals_a_lost_answer(client: stripe.StripeClient, controls: Controls, fault: str) -> None:
    controls.fault(CREATE, fault)
    with pytest.raises(stripe.StripeError):
        create(client, "k")
    assert create(client, "k").status == "open"
    assert sessions(client) == 1


def test_a_500_after_execution_is_what_the_key_repeats(client: stripe.StripeClient, controls: Controls) -> None:
    controls.fault(CREATE, "error_500_after")
    for _ in range(2):
        with pytest.raises(stripe.APIError) as caught:
            create(client, "k")
        assert caught.value.http_status == 500
    assert sessions(client) == 1


def test_a_timed_out_call_is_answered_after_its_seconds_by_hanging_up(
    client: stripe.StripeClient, controls: Controls
) -> None:
    controls.fault(CREATE, "timeout_after", seconds=0)
    with pytest.raises(stripe.APIConnectionError):
        create(client, "k")
    assert controls.get("requests")[0]["status"] is None


def test_a_fault_lasts_as_often_as_ordered_and_spares_other_calls(
    client: stripe.StripeClient, controls: Controls
) -> None:
    controls.fault("GET /v1/events", "error_500_before", times=2)
    client.v1.customers.list()
    for _ in range(2):
        with pytest.raises(stripe.APIError):
            client.v1.events.list()
    assert client.v1.events.list().data == []


def test_a_fault_without_a_count_lasts_until_cleared(client: stripe.StripeClient, controls: Controls) -> None:
    controls.fault("*", "rate_limit_429", times=None)
    for _ in range(3):
        with pytest.raises(stripe.RateLimitError):
            client.v1.events.list()
    controls.gateway.simulator.faults.clear()
    assert client.v1.events.list().data == []


def test_an_order_for_an_unknown_fault_is_refused(controls: Controls) -> None:
    assert "no fault" in controls.post("faults", {"operation": "*", "fault": "flood"})["error"]
    assert "no operation" in controls.post("faults", {"operation": "GET /x", "fault": "slow"})["error"]
    assert controls.get("faults") == []


def test_the_request_log_has_everything_but_the_key_of_the_account(
    client: stripe.StripeClient, controls: Controls
) -> None:
    create(client, "k-1")
    entry = controls.get("requests")[0]
    assert (entry["method"], entry["path"], entry["status"]) == ("POST", "/v1/checkout/sessions", 200)
    assert (entry["idempotency_key"], entry["stripe_version"]) == ("k-1", stripe.api_version)
    assert entry["params"]["line_items[0][price_data][unit_amount]"] == "1999"
    assert "sk_test_x" not in str(controls.get("requests"))
