"""The whole engine as a state machine: anything may happen in any order, and the laws hold.

The laws are in `oracles` and `converge`, judged from outside. `HYPOTHESIS_PROFILE=soak` plays many
more and longer plays; every defect that it found is a test of its own in `test_found`.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

from tests.machine.sync_side import SyncSide

_SOAK = os.environ.get("HYPOTHESIS_PROFILE") == "soak"


class Machine(SyncSide):
    """All rules together."""


Machine.TestCase.settings = settings(
    max_examples=int(os.environ.get("MACHINE_EXAMPLES", "5000" if _SOAK else "250")),
    stateful_step_count=int(os.environ.get("MACHINE_STEPS", "80" if _SOAK else "50")),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestWholeEngine = Machine.TestCase
