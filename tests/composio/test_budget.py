"""Budgets on a clock that the test moves: nothing above the rate, and a share kept for people."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from quotey.adapters.composio.budget import CONNECTION, LONGEST, ORGANISATION, Alone, Budget, Rate

SEARCH = "search"


class Time:
    def __init__(self) -> None:
        self.now = 0.0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Desk:
    """A budget of an account `of` the key `key`, on notes that may be shared with others."""

    def __init__(
        self,
        *,
        org: float = 6000.0,
        connection: float = 1000.0,
        search: float = 4.0,
        share: float = 0.0,
        beside: Desk | None = None,
        of: str = "ca_1",
    ) -> None:
        self.time: Time = beside.time if beside else Time()
        self.shared: Alone = beside.shared if beside else Alone(self.time.clock, self.time.sleep)
        rates = {
            ORGANISATION: Rate(org, 60.0),
            CONNECTION: Rate(connection, 10.0),
            SEARCH: Rate(search, 1.0),
        }
        names = {scope: f"{of}/{scope}" for scope in rates} | {ORGANISATION: "key"}
        self.budget = Budget(names, rates, share=share, shared=self.shared)

    def wait(
        self, family: str = "general", *, interactive: bool = False, patience: float = 0.0
    ) -> float:
        return self.budget.admit(family, interactive=interactive, patience=patience).seconds


def test_a_request_waits_for_its_turn() -> None:
    desk = Desk()
    for _ in range(9):
        assert desk.wait(SEARCH, patience=5.0) == 0.0
    assert 1.9 < desk.time.now < 2.1


def test_one_that_would_wait_too_long_is_told_when_to_come_back() -> None:
    desk = Desk(connection=10.0)
    assert desk.wait(patience=0.5) == 0.0
    assert 0.9 < desk.wait(patience=0.5) <= 1.0
    assert desk.time.now == 0.0


def test_a_clock_that_stands_still_does_not_hold_anybody_for_ever() -> None:
    desk = Desk(connection=10.0)
    desk.shared.sleep = lambda _seconds: None
    assert desk.wait() == 0.0
    assert desk.wait(patience=3.0) > 0.0


def test_a_family_has_a_bucket_within_those_of_connection_and_organisation() -> None:
    desk = Desk(search=1.0)
    assert desk.wait(SEARCH) == 0.0
    assert desk.wait(SEARCH) > 0.0
    assert desk.wait() == 0.0
    few = Desk(org=60.0)
    assert few.wait(SEARCH) == 0.0
    taken = 1
    while not few.wait():
        taken += 1
    assert taken == 1
    assert few.wait(SEARCH) > 0.0


def test_a_share_is_kept_for_people_who_wait() -> None:
    desk = Desk(connection=100.0, share=0.3)
    taken = 0
    while not desk.wait():
        taken += 1
    assert taken == 7
    assert [desk.wait(interactive=True) for _ in range(3)] == [0.0, 0.0, 0.0]
    assert desk.wait(interactive=True) > 0.0


def test_where_a_bucket_holds_one_token_a_person_gets_it_before_the_drain() -> None:
    desk = Desk(search=4.0, share=0.2)
    assert desk.wait(SEARCH) == 0.0
    assert desk.wait(SEARCH, interactive=True) < desk.wait(SEARCH)


@given(
    st.floats(0.5, 50),
    st.floats(0, 0.9),
    st.lists(st.tuples(st.floats(0, 2), st.booleans()), max_size=80),
)
def test_no_more_than_the_rate_and_a_tenth_ever_goes_out(
    rate: float, share: float, calls: list[tuple[float, bool]]
) -> None:
    desk = Desk(search=rate, share=share, connection=1e9, org=1e9)
    gone = 0
    for pause, interactive in calls:
        desk.time.now += pause
        gone += desk.wait(SEARCH, interactive=interactive) == 0.0
        assert gone <= max(1.0 + share, rate / 10) + rate * desk.time.now + 1e-3


def test_what_one_was_asked_to_wait_holds_for_all_of_its_account() -> None:
    one = Desk()
    two, stranger = Desk(beside=one), Desk(beside=one, of="ca_2")
    one.budget.keep_away(CONNECTION, 30.0)
    one.budget.keep_away(CONNECTION, 5.0)
    told = two.budget.admit(SEARCH, interactive=True, patience=3.0)
    assert told.asked
    assert 29.9 < told.seconds <= 30.0
    assert stranger.wait() == 0.0
    one.time.now = 30.0
    assert two.wait(SEARCH) == 0.0


def test_a_limit_of_searches_leaves_the_rest_open_and_the_organisations_closes_all() -> None:
    one = Desk()
    stranger = Desk(beside=one, of="ca_2")
    one.budget.keep_away(one.budget.scope_of(SEARCH), 5.0)
    assert one.wait(SEARCH) == 5.0
    assert one.wait() == 0.0
    one.budget.keep_away(ORGANISATION, 7.0)
    assert stranger.wait() == 7.0


def test_a_wait_without_measure_is_cut() -> None:
    desk = Desk()
    desk.budget.keep_away(CONNECTION, 1e12)
    assert desk.wait() == LONGEST


def test_a_clock_that_was_set_back_neither_closes_for_ever_nor_gives_more() -> None:
    desk = Desk(connection=10.0)
    desk.time.now = 1e6
    assert desk.wait() == 0.0
    desk.budget.keep_away(CONNECTION, 60.0)
    desk.time.now = 0.0
    assert desk.wait() == 60.0
    desk.time.now = 61.0
    assert desk.wait() == 0.0
    assert desk.wait() > 0.0


def test_a_note_that_is_damaged_is_as_good_as_none() -> None:
    desk = Desk()
    desk.shared.change((), lambda _notes: ({"ca_1/connection": "[[", "key": '{"a":1}'}, None))
    assert desk.wait() == 0.0
