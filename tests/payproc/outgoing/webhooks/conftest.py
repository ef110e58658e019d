from collections.abc import Iterator

import pytest

from tests.support.shops.webhooks import Receiver, receiving


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running
