"""`make audit`: is anything unsafe in our code, in what it stands on, or in what is kept here?

Exits with 1 when something was found. Advisories need their public service: where that does not
answer, the packages are told as not looked up, which is not a failure and not a pass.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TOOLS = Path(sys.executable).parent
LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-audit.lock")
TOO_KEEN = ("Base64HighEntropyString", "HexHighEntropyString", "KeywordDetector")
"""Detectors that take every hash, and the word `secret` itself, for one."""

OF_CRMS = re.compile(r"pat-(?:na|eu|ap)\d-[0-9a-f]{8}-[0-9a-f-]{27}|\bak_[A-Za-z0-9-]{20,}")
"""The keys of the services that are talked to; the tool does not know their shape."""


def tool(name: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run one of the tools of this environment in the checkout."""
    command = [str(TOOLS / name), *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def answer(run: subprocess.CompletedProcess[str]) -> Any:  # noqa: ANN401 - JSON of another's making
    """Give the JSON that a tool printed; a tool that printed none has failed, and that is told."""
    try:
        return json.loads(run.stdout)
    except json.JSONDecodeError:
        sys.exit(f"{Path(run.args[0]).name} did not work: {run.stderr.strip()[-500:]}")


def code() -> list[str]:
    """Look for unsafe calls of high weight; those of less are the linter's, line by line."""
    words = ("-q", "-r", "src", "scripts", "-c", "pyproject.toml", "-lll", "-f", "json")
    return [
        f"{one['filename']}:{one['line_number']}: {one['test_id']} {one['issue_text']}"
        for one in answer(tool("bandit", *words))["results"]
    ]


def packages() -> tuple[list[str], list[str]]:
    """Ask for advisories on all that is pinned: those that were found, those not looked up."""
    found: list[str] = []
    unknown: set[str] = set()
    for lock in LOCKS:
        words = ("--disable-pip", "--require-hashes", "--progress-spinner", "off", "-f", "json")
        run = tool("pip-audit", *words, "-r", lock)
        if not run.stdout.strip() and "Error" in run.stderr:
            unknown.add(f"all of {lock}")
            continue
        for one in answer(run)["dependencies"]:
            if "skip_reason" in one:
                unknown.add(one["name"])
            found += [f"{lock}: {one['name']} {bad['id']}" for bad in one.get("vulns", ())]
    return found, sorted(unknown)


def secrets() -> list[str]:
    """Look through every file that is kept here for keys, tokens and passwords.

    A line that only looks like one says so: `pragma: allowlist secret`.
    """
    kept = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    files = [name.decode() for name in kept.stdout.split(b"\0") if name]
    off = [word for one in TOO_KEEN for word in ("--disable-plugin", one)]
    run = tool("detect-secrets-hook", "--json", *off, *files)
    results = answer(run)["results"] if run.stdout.strip() else {}
    found = [
        f"{name}:{one['line_number']}: {one['type']}" for name in results for one in results[name]
    ]
    return found + [
        f"{name}: the key of a service"
        for name in files
        if OF_CRMS.search((ROOT / name).read_text(errors="replace"))
    ]


def main() -> None:
    """Run the three and tell what each found."""
    advisories, unknown = packages()
    rows = {"unsafe calls": code(), "known advisories": advisories, "secrets": secrets()}
    for name, found in rows.items():
        print(f"{name}: {len(found)}")
        for line in found:
            print(f"  {line}")
    if unknown:
        print(f"not looked up, the advisory service did not answer: {len(unknown)} packages")
    sys.exit(any(rows.values()))


if __name__ == "__main__":
    main()
