"""Half of the requests drawn from the OpenAPI document: what is only looked at."""

import pytest

from tests.web.fuzz.asking import operations_of, send_to_each
from tests.web.fuzz.budget import REQUESTS
from tests.web.fuzz.front import Front

# Begun first, or a worker would be alone with it at the end.
pytestmark = pytest.mark.long


def test_whatever_is_looked_at_is_answered_as_the_document_says_and_writes_nothing(front: Front) -> None:
    send_to_each(front, operations_of(front, "GET"), count=REQUESTS // 2)
