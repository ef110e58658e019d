from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.shops.webhooks import Receiver, receiving


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect what asks the package for Node where its registry was out of reach: the summary counts it."""
    if Path(__file__).with_name("node").joinpath("node_modules").is_dir():
        return
    asking = [item for item in items if "package_for_node" in item.name]
    config.hook.pytest_deselected(items=asking)
    items[:] = [item for item in items if item not in asking]
