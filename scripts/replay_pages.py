"""Plays the pages and writes what their commands print into them anew.

    python scripts/replay_pages.py                        all that are told
    python scripts/replay_pages.py docs/how-to/operate.md

Output that is shown with dots keeps its form and is only compared. When a page still differs it
ends with exit code 1.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from scripts.pages.player import ID, Difference, Player  # noqa: E402 - found from the root
from scripts.pages.steps import DOTS, Run, steps_of  # noqa: E402


def played() -> list[Path]:
    """Give the pages whose commands are run: the README and every how-to."""
    return [ROOT / "README.md", *sorted((ROOT / "docs" / "how-to").glob("*.md"))]


def play(page: Path) -> tuple[Player, list[Difference]]:
    """Play one page in a folder that is thrown away."""
    with tempfile.TemporaryDirectory(prefix="quotey-page-") as folder:
        player = Player(Path(folder))
        return player, player.play(page.read_text(encoding="utf-8"))


def renewed(text: str, player: Player) -> str:
    """Give the page with everything that it shows, and the ids in its commands, of one run."""
    runs = [step for step in steps_of(text) if isinstance(step, Run) and step.shown]
    whole = [run for run in runs if DOTS not in "".join(run.shown)]
    came = "".join(player.came[run.line] for run in whole)
    told = {there: here for there, here in player.ids.items() if here in came}
    lines = ID.sub(lambda found: told.get(found[0], found[0]), text).splitlines()
    for run in reversed(whole):
        first = run.line + 1
        lines[first : first + len(run.shown)] = player.came[run.line].splitlines()
    return "\n".join(lines) + "\n"


def main(argv: list[str]) -> int:
    """Renew the pages that are named, or all; give 1 when one still differs."""
    differs = 0
    for page in [Path(name).resolve() for name in argv] or played():
        player, wrong = play(page)
        if wrong:
            text = page.read_text(encoding="utf-8")
            page.write_text(renewed(text, player), encoding="utf-8")
            wrong = play(page)[1]
        for one in wrong:
            print(f"{page.relative_to(ROOT)} {one}\n")
            differs = 1
    return differs


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
