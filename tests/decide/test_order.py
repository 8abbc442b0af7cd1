"""Which of two revisions is the newer one."""

from __future__ import annotations

import pytest

from quotey.decide.order import Revision, ahead
from tests.decide.build import NOW, later, mirror, remote


@pytest.mark.parametrize(
    ("known", "other", "told"),
    [
        (remote(version="9"), remote(version="10"), 1),
        (remote(version="10"), remote(version="9"), -1),
        (remote(version="7"), remote(version="007"), 0),
        (remote(version="b"), remote(version="a", ts=later(1)), 1),
        (
            remote(version="1", ts=later(1)),
            remote(version="", ts=NOW),
            -1,
        ),
        (mirror(source_ts=None, source_version=""), remote(), 1),
        (remote(), mirror(source_ts=None, source_version=""), 1),
    ],
)
def test_plain_numbers_decide_and_else_the_moment_of_the_source(
    known: Revision, other: Revision, told: int
) -> None:
    assert ahead(known, other) == told
