"""From the limits that a user sets to those that the sync takes."""

from __future__ import annotations

from datetime import timedelta

from quotey.config import Limits
from quotey.contract.journal import Lease
from quotey.decide.inbound import MassLimits
from quotey.decide.retry import RetryLimits
from quotey.sync.ports import SyncLimits


def sync_limits(limits: Limits) -> SyncLimits:
    """Give the sync its bounds; what nobody can set stays as the sync has it.

    A request must end before its lease does (reliability section 6), so a short lease makes short
    requests: of 40 seconds, 10 for a read, 15 for a write, and 5 are left at the end.
    """
    lease = limits.lease_seconds
    return SyncLimits(
        lease=Lease(duration=timedelta(seconds=lease), margin=timedelta(seconds=min(5, lease / 8))),
        read_timeout=min(10, lease / 4),
        write_timeout=min(15, lease * 3 / 8),
        sweep_every=timedelta(hours=limits.sweep_hours),
        retry=RetryLimits(
            max_attempts=limits.attempts, window=timedelta(hours=limits.window_hours)
        ),
        examine_every=timedelta(minutes=limits.examine_minutes) or None,
        mass=MassLimits(
            min_mirrored=limits.mass_minimum,
            max_gone_share=limits.mass_gone_share,
            max_changed_share=limits.mass_change_share,
        ),
    )
