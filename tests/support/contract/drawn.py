"""What hypothesis draws, and how often."""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from payproc.domain.money import LARGEST_MINOR

AMOUNTS = st.integers(min_value=1, max_value=LARGEST_MINOR)
# What may stand in a field beside what should. NUL and half a surrogate pair are JSON, and no database holds them.
STRANGE_VALUES = st.sampled_from(
    [None, True, 0, -1, 7, 10**30, 12.5, [], {}, ["000"], {"id": "000"}, "", " ", "x" * 300, "\0", "\ud800", "nan"]
)

fuzzily = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
often = settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
