"""One play: a load, rounds of reading while everybody edits, silence, a sweep.

before the sweep   what is wrong is exactly what no window could show
after the sweep    nothing is wrong, and the sweep has counted what the oracle had found
under fire         a sweep while everybody edits, then silence and one reading: nothing is wrong
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from quotey.testing.names import Simulated
from quotey.testing.simulators.server import serve
from scripts.complete.crowd import Crowd, crowd_of
from scripts.complete.oracle import Verdict, judge
from scripts.complete.syncing import Synced

ROUNDS = 6
ROUND = 200.0
"""Seconds between two readings: shorter than a change may take to be seen."""
SILENCE = 7_200.0

Sync = Callable[[Path, dict[str, str], bool], Synced]
"""Syncs the folder once with this environment, and sweeps where asked."""


@dataclass
class Played:
    """What came of a play: each sync by its name, and what was wrong before and after sweeps."""

    provider: str
    records: int
    syncs: dict[str, Synced] = field(default_factory=dict)
    missed: Verdict = field(default_factory=Verdict)
    swept: Verdict = field(default_factory=Verdict)
    under_fire: Verdict = field(default_factory=Verdict)
    changes: dict[str, int] = field(default_factory=dict)


def play(provider: Simulated, records: int, folder: Path, sync: Sync) -> Played:
    """Play it; `sync` is the syncing side, in this process or in another."""
    crowd, played = crowd_of(provider, records), Played(provider, records)
    few = max(3, records // 2_000)
    with serve(crowd.rig.cores) as url:
        stage = _Stage(crowd, folder, _settle_in(crowd, folder, url), sync, played)
        crowd.clock.busy = True
        stage.sync("first load")
        crowd.lose(few)
        crowd.bin(few)
        for number in range(1, ROUNDS + 1):
            crowd.burst(max(250, records // 200))
            crowd.pass_time(ROUND)
            stage.sync(f"round {number}")
            if number == ROUNDS // 2:
                crowd.bring_back()
        stage.be_quiet()
        stage.sync("last reading")
        played.missed = stage.judged()
        stage.sync("sweep", sweep=True)
        played.swept = stage.judged()
        crowd.clock.busy = True
        stage.sync("sweep under fire", sweep=True)
        stage.be_quiet()
        stage.sync("reading after it")
        played.under_fire = stage.judged()
    played.changes = vars(crowd.done)
    return played


@dataclass
class _Stage:
    crowd: Crowd
    folder: Path
    environ: dict[str, str]
    how: Sync
    played: Played

    def sync(self, name: str, *, sweep: bool = False) -> None:
        self.played.syncs[name] = self.how(self.folder, self.environ, sweep)

    def be_quiet(self) -> None:
        """Stop, and let everything be seen that was done."""
        self.crowd.clock.busy = False
        self.crowd.pass_time(SILENCE)

    def judged(self) -> Verdict:
        return judge(self.crowd.store.truth(), self.folder / ".quotey" / "quotey.db")


def _settle_in(crowd: Crowd, folder: Path, url: str) -> dict[str, str]:
    rig = crowd.rig
    own = "".join(
        f"{key} = {str(value).lower() if isinstance(value, bool) else repr(value)}\n"
        for key, value in rig.settings.items()
    )
    budgets = "searches_per_second = 1000000\n" if rig.provider == "hubspot" else ""
    (folder / "quotey.toml").write_text(
        f"""
[limits]
sweep_hours = 0
[connections.main]
provider = "{rig.provider}"
connected_account_id = "{rig.connected_account_id}"
user_id = "{rig.user_id}"
base_url = "{url}"
loopback = true
default_currency = "EUR"
requests_per_minute = 1000000
requests_per_ten_seconds = 1000000
gone_every_hours = 0
{budgets}{own}""",
        encoding="utf-8",
    )
    return {"QUOTEY_CONNECTIONS__MAIN__API_KEY": rig.api_key}
