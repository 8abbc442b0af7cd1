"""Show the main job on the embedded default: only `quotey` commands, each printed before it runs.

    python scripts/demo.py                      the bundled data, in a folder that is thrown away
    python scripts/demo.py --dataset DIR        another data set (a folder with dataset.toml)
    python scripts/demo.py --seed 7             other deals of it
    python scripts/demo.py --keep DIR           leave the state in DIR, to look around afterwards

It takes its own decisions from `--json` answers, as any script could. It stops, with exit code 1,
as soon as a command does not do what the line above it says.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

LEASE = 8  # seconds that the killed run still holds its operation
DONE, NEEDS_PERSON = 0, 3


class Demo:
    """A terminal in one folder: says a sentence, prints a command, runs it, checks how it ended."""

    def __init__(self, folder: Path, environ: dict[str, str]) -> None:
        self.folder = folder
        # It is offline and in a folder of its own: that root plays it need not be told each time.
        self.environ = {**os.environ, "NO_COLOR": "1", "QUOTEY_ALLOW_ROOT": "true", **environ}

    def say(self, *lines: str) -> None:
        """Tell what comes next."""
        print()
        for line in lines:
            print(f"# {line}")

    def run(self, *words: str, ends: int = DONE) -> None:
        """Print and run one command; it must end with this exit code."""
        print(f"\n$ quotey {shlex.join(words)}", flush=True)
        ended = subprocess.run(self._command(words), cwd=self.folder, env=self.environ, check=False)
        if ended.returncode != ends:
            sys.exit(f"demo: that ended with {ended.returncode}, and {ends} was expected.")

    def ask(self, *words: str) -> Any:  # noqa: ANN401 - whatever the document holds
        """Run one command quietly for its JSON, to know what to do next."""
        ended = subprocess.run(
            self._command((*words, "--json")),
            cwd=self.folder,
            env=self.environ,
            check=False,
            capture_output=True,
            text=True,
        )
        document = json.loads(ended.stdout)
        if document["data"] is None:
            sys.exit(f"demo: quotey {shlex.join(words)}: {document['error']['message']}")
        return document["data"]

    def run_until_killed(self, *words: str, seen: str) -> None:
        """Run a command slowly and kill it as soon as the CRM holds a quote's effect."""
        print(f"\n$ quotey {shlex.join(words)}      (and kill -9 in the middle)", flush=True)
        slow = {
            **self.environ,
            "QUOTEY_LIMITS__LEASE_SECONDS": str(LEASE),
            "QUOTEY_CONNECTIONS__MAIN__LATENCY": "1.5",
        }
        with subprocess.Popen(
            self._command(words), cwd=self.folder, env=slow, stdout=subprocess.DEVNULL
        ) as process:
            while not any(
                one["quote_id"] == seen for one in self.ask("crm", "stub", "log")["items"]
            ):
                if process.poll() is not None:
                    sys.exit("demo: the sync ended before it could be killed.")
            process.kill()

    @staticmethod
    def _command(words: tuple[str, ...]) -> list[str]:
        return [sys.executable, "-m", "quotey", *words]


def main(argv: list[str]) -> int:
    """Play the five scenes in a folder, from an empty one to the closing screen."""
    options = _options(argv)
    environ = {}
    if options.dataset:
        environ["QUOTEY_CONNECTIONS__MAIN__DATASET"] = str(options.dataset.resolve())
    with tempfile.TemporaryDirectory(prefix="quotey-demo-") as scratch:
        folder = options.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        started = time.monotonic()
        play(Demo(folder, environ), random.Random(options.seed))  # noqa: S311 - it only picks deals
        print(
            f"\nThat took {time.monotonic() - started:.0f} seconds, and nothing left this machine."
        )
    return 0


def _options(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Show the main job on the embedded default.")
    parser.add_argument("--dataset", type=Path, help="a folder with dataset.toml")
    parser.add_argument("--seed", type=int, default=1, help="which deals are taken")
    parser.add_argument("--keep", type=Path, help="leave the state in this folder")
    return parser.parse_args(argv)


def play(demo: Demo, dice: random.Random) -> None:
    """Play the scenes with deals drawn from the data set."""
    first_sync(demo)
    deals = _deals_with_another_stage(demo)
    quoted, locked, other = dice.sample(sorted(deals), 3)
    quote = quote_offline(demo, quoted)
    settle_a_conflict(demo, locked, deals[locked])
    kill_and_resume(demo, other)
    refuse_a_stale_write(demo, quoted, quote)
    close(demo, locked)


def first_sync(demo: Demo) -> None:
    """Scene 1: mirror the CRM; what breaks the contract is put aside, not dropped."""
    demo.say(
        "1. Mirror the CRM. With no configuration that is the offline stub with demo data.",
        "   Records that break the contract are put aside one by one; the others go on.",
    )
    planned = demo.ask("crm", "plan")["counts"].values()
    rejects = any(counts["rejected"] for counts in planned)
    demo.run("crm", "sync", ends=NEEDS_PERSON if rejects else DONE)
    demo.run("crm", "reconcile", "list")


def _deals_with_another_stage(demo: Demo) -> dict[str, str]:
    """Give deals of the mirror, each with a stage in the CRM's own word that it does not have."""
    items = demo.ask("crm", "audit", "--kind", "record.created", "--limit", "1000")["items"]
    path = _path_of(demo, "deal", "stage")
    deals = [
        item
        for item in items
        if item["entity"] == "deal" and item["body"]["values"].get("currency")
    ]
    words = {
        item["body"]["values"]["stage"]: _word(demo, item["body"]["crm_ref"], path)
        for item in {one["body"]["values"]["stage"]: one for one in deals}.values()
    }
    return {
        item["body"]["crm_ref"]: next(
            word
            for stage, word in sorted(words.items())
            if stage != item["body"]["values"]["stage"]
        )
        for item in deals
    }


def _word(demo: Demo, ref: str, path: str) -> str:
    return str(demo.ask("crm", "stub", "show", f"deal/{ref}")["payload"][path])


def _path_of(demo: Demo, entity: str, field: str) -> str:
    fields = demo.ask("crm", "mapping", "show")["fields"]
    return next(str(f["path"]) for f in fields if (f["entity"], f["field"]) == (entity, field))


def quote_offline(demo: Demo, ref: str) -> str:
    """Scene 2: quote while the CRM is down, then let it through."""
    demo.say("2. The CRM is down. A quote is made all the same, and waits its turn.")
    demo.run("crm", "stub", "fail", "server_error", "--times", "1000")
    demo.run("quote", "create", ref, "--total", "12000")
    demo.run("crm", "sync", ends=6)
    demo.say("   The CRM is back. Nothing was lost, and nobody had to remember.")
    demo.run("crm", "stub", "heal")
    demo.run("crm", "sync", ends=_as_now(demo))
    demo.run("quote", "list")
    return str(demo.ask("quote", "list")["items"][0]["id"])


def settle_a_conflict(demo: Demo, ref: str, word: str) -> None:
    """Scene 3: a locked field meets a change in the CRM, and a person settles it."""
    demo.say("3. A field is locked for two days; meanwhile sales changes it in the CRM.")
    demo.run("crm", "lock", f"deal/{ref}", "stage", "--for", "48h", "--reason", "contract at legal")
    demo.run("crm", "stub", "set", f"deal/{ref}", f"{_path_of(demo, 'deal', 'stage')}={word}")
    demo.run("crm", "sync", ends=NEEDS_PERSON)
    item = _open_item(demo, "locked_field_overwrite")
    demo.run("crm", "reconcile", "show", item)
    demo.run("crm", "reconcile", "apply", item, "--policy", "crm_wins")
    demo.run("crm", "explain", f"deal/{ref}", "stage")


def kill_and_resume(demo: Demo, ref: str) -> None:
    """Scene 4: kill the process after the CRM has the quote and before we could note it."""
    demo.say("4. The process is killed after the CRM took the quote, before that was noted here.")
    demo.run("quote", "create", ref, "--total", "800")
    newest = max(demo.ask("quote", "list")["items"], key=lambda quote: str(quote["created_at"]))
    demo.run_until_killed("crm", "sync", seen=str(newest["id"]))
    demo.say(
        f"   Its lease of {LEASE} seconds runs out; the next sync looks before it sends again."
    )
    time.sleep(LEASE)
    demo.run("crm", "sync", ends=_as_now(demo))
    demo.run("crm", "audit", f"quote/{newest['id']}")


def refuse_a_stale_write(demo: Demo, ref: str, quote: str) -> None:
    """Scene 5: the CRM holds a newer version than ours; the older one never lands."""
    demo.say(
        "5. Somebody wrote version 9 of the quote in the CRM. Ours is older and must not land."
    )
    demo.run("crm", "stub", "set", f"deal/{ref}", f"{_path_of(demo, 'quote', 'version')}=9")
    demo.run("quote", "revise", quote, "--total", "11500")
    demo.run("crm", "sync", ends=NEEDS_PERSON)
    item = _open_item(demo, "stale_outbound_write")
    demo.run("crm", "reconcile", "apply", item, "--policy", "local_wins", ends=NEEDS_PERSON)
    demo.say("   A person decides: a new version above both.")
    demo.run("quote", "revise", quote, "--total", "11500")
    demo.run("crm", "sync", ends=_as_now(demo))


def close(demo: Demo, ref: str) -> None:
    """Show the closing screen: is the CRM in step, what is stuck, and was the log left alone."""
    demo.say("Is the CRM in step? What is stuck, and what do I do now?")
    demo.run("crm", "audit", "--verify")
    demo.run("db", "check")
    demo.run("crm", "status", ends=_as_now(demo))
    demo.say(
        "Next, in a folder of your own:",
        "  quotey crm sync                    mirror the demo data",
        f"  quotey crm explain deal/{ref} stage   why is this value here?",
        "  quotey --help                      everything else",
    )


def _open_item(demo: Demo, conflict: str) -> str:
    items = demo.ask("crm", "reconcile", "list", "--each", "--type", conflict)["items"]
    return str(items[0]["id"])


def _as_now(demo: Demo) -> int:
    """Give the exit code of a sync that meets nothing new: rejects may still wait for a person."""
    return NEEDS_PERSON if demo.ask("crm", "reconcile", "list")["total"] else DONE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
