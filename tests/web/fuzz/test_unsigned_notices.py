"""Half of the notices: what nobody signs, as it should be and in other hands."""

import pytest

from tests.web.fuzz.budget import REQUESTS
from tests.web.fuzz.deliveries import by_address, guide_notice
from tests.web.fuzz.front import Front
from tests.web.fuzz.telling import tell_many

# Begun first, or a worker would be alone with it at the end.
pytestmark = pytest.mark.long


def test_what_nobody_signs_is_a_reason_to_ask_about_a_payment_of_ours_at_most(front: Front) -> None:
    tell_many(front, by_address, guide_notice, count=REQUESTS // 2)
