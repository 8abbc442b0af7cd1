"""A quote takes several requests in Tryton: what is cut off between two is seen and ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from quotey.contract.dto import Attachment
from quotey.contract.errors import ErrorClass, ExitCode, Outcome
from quotey.contract.journal import OpState
from quotey.desk.quote_checks import QuoteTerms
from quotey.sync.clock import SystemClock
from quotey.testing.clock import VirtualClock
from quotey.testing.conformance.quotes import reading, write
from quotey.testing.world import CALL, World, a_deal, a_summary, marker_of, refusal
from tests.e2e.desk import environ, open_on, own_id
from tests.e2e.server import Tryton
from tests.e2e.world import TrytonWorld

pytestmark = pytest.mark.e2e

FILE = Attachment(ref="quotes/q_conformance-1.pdf", sha256="ab" * 32, bytes=5)


@pytest.fixture
def world(tryton: Tryton) -> Iterator[TrytonWorld]:
    """A world in which sales are moved to quotation, as they are by default."""
    with closing(TrytonWorld(tryton, quotation=True)) as made:
        yield made


def sales_of(world: TrytonWorld, deal: str) -> list[tuple[str, str]]:
    """Give state and version of each sale of a deal."""
    where = [["origin", "=", f"sale.opportunity,{deal}"]]
    found = world.hands("sale.sale.search_read", where, 0, None, None, ["state", "description"])
    return [(one["state"], one["description"]) for one in found]


def seen(world: World, deal: str) -> tuple[int, bool]:
    """Give the version that a second process finds, and whether it finds it unfinished."""
    found = reading(world, deal, adapter=world.reopen())
    assert found.marker is not None
    return found.marker.version, found.unfinished


def test_a_sale_that_was_written_and_not_quoted_is_finished_by_the_same_write(
    world: TrytonWorld,
) -> None:
    deal = a_deal(world)
    world.between.cut("sale.sale.quote")
    failure = refusal(lambda: write(world, deal, a_summary()))
    assert failure.outcome is Outcome.UNKNOWN
    assert sales_of(world, deal) == [("draft", "Version 1")]
    assert seen(world, deal) == (1, True)
    write(world, deal, a_summary())
    assert sales_of(world, deal) == [("quotation", "Version 1")]
    assert seen(world, deal) == (1, False)
    assert world.between.passed.count("model.sale.sale.create") == 1


def test_a_quotation_that_was_opened_and_not_rewritten_is_seen_to_be_so(
    world: TrytonWorld,
) -> None:
    deal = a_deal(world)
    write(world, deal, a_summary(version=1))
    world.between.cut("sale.sale.write")
    failure = refusal(lambda: write(world, deal, a_summary(version=2)))
    assert failure.outcome is Outcome.UNKNOWN
    assert seen(world, deal) == (1, True)
    write(world, deal, a_summary(version=2))
    assert sales_of(world, deal) == [("quotation", "Version 2")]
    assert seen(world, deal) == (2, False)


def test_a_quotation_whose_newer_version_is_refused_stands_as_it_stood(world: TrytonWorld) -> None:
    deal = a_deal(world)
    write(world, deal, a_summary(version=1))
    foreign = msgspec.structs.replace(a_summary(version=2), currency="CHF")
    failure = refusal(lambda: write(world, deal, foreign))
    assert failure.error_class is ErrorClass.MAPPING
    assert failure.outcome is Outcome.NOT_APPLIED
    assert sales_of(world, deal) == [("quotation", "Version 1")]
    assert seen(world, deal) == (1, False)


def test_a_file_that_was_not_attached_to_a_draft_is_attached_by_the_same_write(
    tryton: Tryton,
) -> None:
    with closing(TrytonWorld(tryton, quotation=False)) as world:
        deal, summary = a_deal(world), a_summary()
        marker = marker_of(summary)

        def put() -> None:
            token = reading(world, deal).token
            world.adapter.write_quote(deal, summary, FILE, marker=marker, token=token, call=CALL)

        world.between.cut("ir.attachment.create")
        assert refusal(put).outcome is Outcome.UNKNOWN
        assert seen(world, deal) == (1, True)
        put()
        assert seen(world, deal) == (1, False)
        assert sales_of(world, deal) == [("draft", "Version 1")]


def test_a_rule_that_refuses_the_quotation_is_told_for_good_once_nothing_else_is_left(
    world: TrytonWorld,
) -> None:
    deal = a_deal(world)
    party = world.hands("sale.opportunity.read", [int(deal)], ["party"])[0]["party"]
    known = world.hands("party.address.search", [["party", "=", party]], 0, None, None)
    world.hands("party.address.write", known, {"active": False})
    first = refusal(lambda: write(world, deal, a_summary()))
    assert first.outcome is Outcome.UNKNOWN
    again = refusal(lambda: write(world, deal, a_summary()))
    assert again.error_class is ErrorClass.PERMANENT
    assert again.outcome is Outcome.NOT_APPLIED
    assert "ddress" in again.message
    assert seen(world, deal) == (1, True)
    assert sales_of(world, deal) == [("draft", "Version 1")]


def test_a_process_killed_between_writing_and_quoting_is_no_delivery_and_the_next_one_ends_it(
    world: TrytonWorld, tryton: Tryton, tmp_path: Path
) -> None:
    deal = a_deal(world)
    with open_on(world.between.url, tmp_path) as quotey:
        quotey.sync()
        terms = QuoteTerms(total=Decimal("1500.25"), currency="EUR")
        quotey.quote_publish(quotey.quote_create(own_id(quotey), terms).quote.id)
    syncing = subprocess.Popen(
        [sys.executable, "-m", "quotey", "crm", "sync"],
        cwd=tmp_path,
        env={**os.environ, **environ()},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    world.between.cut("sale.sale.quote", syncing.kill)
    assert syncing.wait(60) == -signal.SIGKILL
    assert sales_of(world, deal) == [("draft", "Version 1")]
    later = VirtualClock(SystemClock().now() + timedelta(minutes=10))
    with open_on(world.between.url, tmp_path, later) as quotey:
        assert quotey.sync().exit_code == ExitCode.DONE
        assert sales_of(world, deal) == [("quotation", "Version 1")]
        ended = quotey.outbox_list(settled=True).items
        assert [one.state for one in ended] == [OpState.DELIVERED]
    assert world.between.passed.count("model.sale.sale.create") == 1
