"""Real processes on a real file, killed with SIGKILL at random times, and started again.

The parent judges: what it was told, what the file holds, what the CRM saw.
"""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest

from tests.machine.shop import DEALS, Shop, furnish
from tests.proof import keep, size

KILLS = size("SYNC_KILLS", every_run=50, soak=200)


def test_a_sync_that_is_killed_again_and_again_loses_nothing_and_does_nothing_twice(
    tmp_path: Path,
) -> None:
    shop = Shop(furnish(tmp_path, latency=0.02))
    _kill_often(shop, random.Random(7), KILLS)  # noqa: S311 - chance, not secrecy
    written, keyed = shop.written(), shop.keyed()
    keep(
        "killed-syncs",
        f"SYNC_KILLS={KILLS} KEEP_PROOF=1 pytest tests/machine/test_kill.py -k again",
        kills=shop.kills.total(),
        syncs=shop.kills["crm"],
        quote_commands=shop.kills["quote"],
        acknowledged=len(shop.told),
        written=written.total(),
        lost=len(shop.lost()),
        doubled=written.total() - len(written) + keyed.total() - len(keyed),
    )


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(int(os.environ.get("KILL_SEEDS", "12"))))
def test_it_stays_so_with_other_times_of_death(tmp_path: Path, seed: int) -> None:
    latency = (0.0, 0.01, 0.03)[seed % 3]
    _kill_often(Shop(furnish(tmp_path, latency=latency)), random.Random(1000 + seed), 60)  # noqa: S311


def _kill_often(shop: Shop, chance: random.Random, kills: int) -> None:
    """Kill syncs and quote commands until so many have died; look after each; then finish."""
    turn = 0
    while shop.kills.total() < kills:
        turn += 1
        assert turn < 10 * kills, "it is never killed in time"
        shop.seconds += 60
        if turn % 4 == 0:
            _kill_a_command(shop, chance, turn)
        else:
            _change_something(shop, chance, turn)
            shop.kill(chance, "crm", "sync")
        shop.check()
    shop.sync_until_done()
    shop.check()
    shop.nothing_is_left()
    assert shop.told, "no quote was acknowledged"
    assert set(shop.kills) == {"crm", "quote"}, shop.kills


def _kill_a_command(shop: Shop, chance: random.Random, turn: int) -> None:
    """Kill a quote command; the same words with the same token are then answered, once."""
    if not _is_mirrored(shop, turn):
        return
    total = f"{10_000 + turn}.5"
    words = ("quote", "create", _deal(turn), "--total", total, "--token", f"t{turn}")
    shop.kill(chance, *words)
    code, document = shop.run(*words)
    assert code == 0, document
    shop.acknowledge(document)
    made = shop.rows("SELECT quote_id FROM quote_version WHERE total = ?", total)
    assert len(made) == 1, f"one token made {made}"


def _change_something(shop: Shop, chance: random.Random, turn: int) -> None:
    """Edit on both sides, quote and revise, so that every sync has something to do."""
    if not _is_mirrored(shop, turn):
        return
    ref = _deal(turn)
    with shop.crm() as crm:
        crm.set("deal", ref, {"stage": f"stage {turn}"})
    for words in (
        ("crm", "deal", "update", ref, f"name=Name {turn}"),
        ("quote", "create", ref, "--total", f"{20_000 + turn}"),
        _revision(shop, chance, turn),
    ):
        if words:
            code, document = shop.run(*words)
            assert code == 0, document
            shop.acknowledge(document)


def _revision(shop: Shop, chance: random.Random, turn: int) -> tuple[str, ...]:
    published = shop.rows("SELECT id FROM quote WHERE published = 1 ORDER BY id")
    if not published:
        return ()
    (quote,) = chance.choice(published)
    return ("quote", "revise", quote, "--total", f"{30_000 + turn}")


def _deal(turn: int) -> str:
    return f"D-{turn % DEALS + 1}"


def _is_mirrored(shop: Shop, turn: int) -> bool:
    found = "SELECT 1 FROM record WHERE crm_ref = ?"
    return shop.database.exists() and bool(shop.rows(found, _deal(turn)))


def test_a_killed_run_is_waited_for_until_its_lease_ends_and_then_gone_on_with(
    tmp_path: Path,
) -> None:
    shop = Shop(furnish(tmp_path, latency=0.1))
    process = shop.start("crm", "sync", plain=True)
    deadline = time.monotonic() + 30
    while not (shop.database.exists() and _has_begun(shop)):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)
    code, document = shop.run("crm", "sync", plain=True)
    assert code == 6, "another run seems to hold it"
    assert "Another run" in str(document["data"]["failures"]), document
    shop.seconds = 60
    code, document = shop.run("crm", "sync")
    assert code == 0, document
    shop.check()
    shop.nothing_is_left()


def _has_begun(shop: Shop) -> bool:
    try:
        return bool(shop.rows("SELECT 1 FROM record LIMIT 1"))
    except Exception:  # noqa: BLE001 - the schema is just being made
        return False
