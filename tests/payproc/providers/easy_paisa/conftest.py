from collections.abc import Iterator

import pytest

from tests.payproc.providers.easy_paisa.gateway import Gateway, listening


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with listening() as running:
        yield running
