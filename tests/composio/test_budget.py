"""Budgets on a clock that the test moves: nothing above the rate, and a share kept for people."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from quotey.adapters.composio.budget import Bucket, Budget, Rate, organisation


class Time:
    def __init__(self) -> None:
        self.now = 0.0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def budget_of(time: Time, *, org: float = 100.0, search: float = 4.0, share: float = 0.0) -> Budget:
    families = {"search": Rate(search, 1.0), "general": Rate(10.0, 10.0)}
    bucket = Bucket(Rate(org, 1.0), share, time.now)
    return Budget(bucket, families, share=share, clock=time.clock, sleep=time.sleep)


def test_a_request_waits_for_its_turn() -> None:
    time = Time()
    budget = budget_of(time)
    for _ in range(12):
        assert budget.admit("search", interactive=False, patience=5.0) == 0.0
    assert 1.9 < time.now < 2.1


def test_one_that_would_wait_too_long_is_told_when_to_come_back() -> None:
    time = Time()
    budget = budget_of(time)
    assert budget.admit("general", interactive=False, patience=0.5) == 0.0
    wait = budget.admit("general", interactive=False, patience=0.5)
    assert 0.9 < wait <= 1.0
    assert time.now == 0.0


def test_families_do_not_take_from_each_other_but_the_organisation_holds_for_all() -> None:
    time = Time()
    budget = budget_of(time, org=2.0)
    assert budget.admit("search", interactive=False, patience=0.0) == 0.0
    assert budget.admit("general", interactive=False, patience=0.0) == 0.0
    assert budget.admit("search", interactive=False, patience=0.0) > 0.0


def test_a_share_is_kept_for_people_who_wait() -> None:
    time = Time()
    budget = budget_of(time, search=10.0, share=0.3)
    taken = 0
    while not budget.admit("search", interactive=False, patience=0.0):
        taken += 1
    assert taken == 7
    assert budget.admit("search", interactive=True, patience=0.0) == 0.0


@given(
    st.floats(0.5, 50),
    st.floats(0, 0.9),
    st.lists(st.tuples(st.floats(0, 2), st.booleans()), max_size=80),
)
def test_no_more_than_the_rate_and_one_burst_ever_goes_out(
    rate: float, share: float, calls: list[tuple[float, bool]]
) -> None:
    time = Time()
    budget = Budget(
        Bucket(Rate(rate, 1.0), share, 0.0),
        {"general": Rate(1e9, 1.0)},
        share=0.0,
        clock=time.clock,
        sleep=time.sleep,
    )
    gone = 0
    for pause, interactive in calls:
        time.now += pause
        gone += budget.admit("general", interactive=interactive, patience=0.0) == 0.0
        assert gone <= max(1.0, rate) + rate * time.now + 1e-6


def test_connections_of_one_key_share_a_bucket() -> None:
    rate = Rate(1.0, 1.0)
    assert organisation("k1", rate, 0.0, 0.0) is organisation("k1", rate, 0.0, 5.0)
    assert organisation("k1", rate, 0.0, 0.0) is not organisation("k2", rate, 0.0, 0.0)
