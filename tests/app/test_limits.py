"""Requests end before their lease does, however short a lease somebody sets (reliability 6)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from quotey.app.limits import sync_limits
from quotey.config import Limits

LEASES = (8, 9, 20, 40, 60, 3600)


@pytest.mark.parametrize("lease", LEASES)
def test_a_quote_can_be_looked_for_written_and_read_back_within_one_lease(lease: int) -> None:
    limits = sync_limits(Limits(lease_seconds=lease))
    took = limits.read_timeout + limits.write_timeout + limits.read_timeout
    assert limits.lease.duration == timedelta(seconds=lease)
    assert took <= lease - limits.lease.margin.total_seconds()


@pytest.mark.parametrize("lease", LEASES)
def test_a_read_and_the_pause_after_it_end_before_the_lease_is_renewed(lease: int) -> None:
    limits = sync_limits(Limits(lease_seconds=lease))
    pauses = [limits.retry.base * 2**again for again in range(limits.read_tries - 1)]
    longest = min(limits.retry.cap, max(pauses)).total_seconds()
    assert limits.read_timeout + longest < lease


def test_the_usual_lease_gives_the_usual_deadlines() -> None:
    limits = sync_limits(Limits())
    assert (limits.read_timeout, limits.write_timeout) == (10, 15)
    assert limits.lease.margin == timedelta(seconds=5)
