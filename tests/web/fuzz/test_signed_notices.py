"""Half of the notices: what Stripe and JazzCash sign, as it should be and in other hands."""

import pytest

from tests.web.fuzz.budget import REQUESTS
from tests.web.fuzz.deliveries import jazz_cash, stripe_event
from tests.web.fuzz.front import Front
from tests.web.fuzz.telling import tell_many

# Begun first, or a worker would be alone with it at the end.
pytestmark = pytest.mark.long


def test_what_a_provider_signs_is_kept_once_and_what_another_signs_leaves_nothing(front: Front) -> None:
    tell_many(front, stripe_event, jazz_cash, count=REQUESTS // 2)
