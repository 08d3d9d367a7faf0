"""What all tests share: Hypothesis draws the same examples on each run and keeps no files.

`pytest --hypothesis-profile=thorough` looks further, with new examples each time.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# No deadline and no complaint about slow examples: a busy machine must not fail a test.
_ANY_MACHINE = settings(
    database=None, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("repeatable", _ANY_MACHINE, derandomize=True)
settings.register_profile("thorough", _ANY_MACHINE, max_examples=2000, stateful_step_count=200)
settings.load_profile("repeatable")
