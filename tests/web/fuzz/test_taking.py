"""Half of the requests drawn from the OpenAPI document: what asks for something."""

import pytest

from tests.web.fuzz.asking import operations_of, send_to_each
from tests.web.fuzz.budget import REQUESTS
from tests.web.fuzz.front import Front

# Begun first, or a worker would be alone with it at the end.
pytestmark = pytest.mark.long


def test_whatever_is_asked_for_is_answered_as_documented_and_refused_without_a_row(front: Front) -> None:
    send_to_each(front, operations_of(front, "POST"), count=REQUESTS // 2)
