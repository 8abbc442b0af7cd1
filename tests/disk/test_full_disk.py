"""A disk that is really full: the kernel lets no file grow beyond a limit (RLIMIT_FSIZE).

Source: reliability 2.D, D4.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.machine.shop import DEALS, PATHS, PLAIN, Shop, furnish
from tests.proof import keep

COARSE = range(0, 300_000, 25_000)
"""Bytes that a file may have; the database of this shop alone needs some 250,000."""
FRAME = 24 + 4096
"""Bytes by which the log grows for one page of a change."""
FINE = range(2, 26, 3)
"""Pages for which the log has room beyond what it holds; a quote needs some 17."""


def _limits(shop: Shop) -> Iterator[int]:
    """Give the limits, each when it is its turn: they fall into opening, change and commit."""
    yield from COARSE
    log = shop.database.with_name(f"{shop.database.name}-wal")
    for frames in FINE:
        yield (log.stat().st_size if log.exists() else 0) + frames * FRAME


def _limited(shop: Shop, limit: int, *argv: str) -> tuple[int, str, str]:
    """Run a command whose files may not grow beyond the limit."""
    done = subprocess.run(
        [*PLAIN, *argv, "--json"],
        cwd=shop.folder,
        env={**os.environ, "PYTHONPATH": PATHS},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    return done.returncode, done.stdout, done.stderr


def test_a_full_disk_is_told_loses_nothing_and_is_recovered_from(ram: Path) -> None:
    assert sys.platform != "win32"
    shop = Shop(furnish(ram, latency=0))
    assert shop.run("crm", "sync", plain=True)[0] == 0
    refused = kept = 0
    for turn, limit in enumerate(_limits(shop)):
        words = ("quote", "create", f"D-{turn % DEALS + 1}", "--total", f"{7000 + turn}")
        code, out, err = _limited(shop, limit, *words)
        document = json.loads(out)
        assert code in (0, 7), (limit, out, err)
        if code == 0:
            kept += 1
            shop.acknowledge(document)
        else:
            refused += 1
            message = document["error"]["message"]
            assert "Nothing was changed" in message or "have been kept or not" in message, message
            if "Nothing was changed" in message:
                found = shop.rows("SELECT 1 FROM quote_version WHERE total = ?", f"{7000 + turn}")
                assert not found, (limit, message)
        code, out, err = _limited(shop, limit, "crm", "sync")
        assert code in (0, 6, 7), (limit, out, err)
        assert "Traceback" not in err
        shop.check()
    assert refused, "it was never full"
    assert kept, "it was never not full"
    shop.sync_until_done()
    shop.check()
    shop.nothing_is_left()
    rows = shop.rows("SELECT quote_id, version FROM quote_version")
    there = {(str(one), int(number)) for one, number in rows}
    keep(
        "full-disk",
        "KEEP_PROOF=1 pytest tests/disk/test_full_disk.py",
        runs=2 * (len(COARSE) + len(FINE)),
        refused=refused,
        kept=kept,
        acknowledged=len(shop.told),
        lost=len(shop.told) - len(there & set(shop.told)),
    )
