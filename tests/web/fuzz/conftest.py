from collections.abc import Iterator

import pytest

from tests.support.databases import DatabaseRing
from tests.web.fuzz.front import Front, front_over


@pytest.fixture(scope="module")
def front(databases: DatabaseRing) -> Iterator[Front]:
    """One front for all requests of a module: what the first ones leave behind is there for the others to find."""
    with front_over(databases.next_url()) as front:
        yield front
