from collections.abc import Iterator

import pytest
import stripe

from sandbox.gateway import GatewayConfig, RunningGateway, start_gateway
from tests.sandbox.wire import SECRET, Clock, Connect, Controls, Receiver, serve

stripe.enable_telemetry = False


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    server = serve(made)
    yield made
    server.shutdown()
    server.server_close()


@pytest.fixture
def gateway(receiver: Receiver, clock: Clock) -> Iterator[RunningGateway]:
    running = start_gateway(
        GatewayConfig(
            webhook_url=receiver.url,
            webhook_secret=SECRET,
            retry_schedule=(0.02,),
            max_attempts=3,
            clock=clock,
        )
    )
    yield running
    running.stop()


@pytest.fixture
def controls(gateway: RunningGateway) -> Controls:
    return Controls(gateway)


@pytest.fixture
def patience() -> float:
    """How many seconds a client waits for an answer: longer than a busy machine stalls. Who has it end says less."""
    return 10


@pytest.fixture
def connect(patience: float) -> Iterator[Connect]:
    """Return how to get a client for an address."""
    opened: list[stripe.RequestsClient] = []

    def client(base_url: str) -> stripe.StripeClient:
        http_client = stripe.RequestsClient(timeout=patience)
        opened.append(http_client)
        return stripe.StripeClient(
            "sk_test_x", base_addresses={"api": base_url}, max_network_retries=0, http_client=http_client
        )

    yield client
    for http_client in opened:
        http_client.close()  # type: ignore[no-untyped-call]  # the SDK left it without types


@pytest.fixture
def client(gateway: RunningGateway, connect: Connect) -> stripe.StripeClient:
    return connect(gateway.base_url)
