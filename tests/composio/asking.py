"""A process of its own that asks a portal again and again, as workers and commands do.

Told by its arguments: the home, the settings as JSON, for how many seconds, and what to ask for: a
search, or a deal by its id. It says when it is ready, begins when a line
comes in, and tells at the end what became of it.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from pathlib import Path

import msgspec

from quotey.adapters import discover
from quotey.adapters.composio import HubSpotSettings
from quotey.adapters.composio.hubspot import open_adapter
from quotey.contract.adapter import Call
from quotey.contract.errors import RemoteFailure
from quotey.contract.mapping_file import parse_mapping
from quotey.contract.secret import Secret
from quotey.store import Place, SharedNotes

CALL = Call(correlation_id="c1")


def settings_of(values: dict[str, object]) -> HubSpotSettings:
    given = {**values, "api_key": Secret(str(values["api_key"]))}
    return msgspec.convert(given, HubSpotSettings)


def notes_in(home: Path) -> SharedNotes:
    return SharedNotes(home / "shared.db", now=time.time, sleep=time.sleep, place=Place())


def main(home: str, values: str, seconds: str, what: str) -> None:
    options = json.loads(values)
    mapping = parse_mapping(discover()["hubspot"].shipped_mapping(), name="the shipped mapping")
    adapter = open_adapter(settings_of(options), mapping, "main")
    adapter.share(notes_in(Path(home)))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    ended: Counter[str] = Counter()
    end = time.time() + float(seconds)
    while time.time() < end:
        try:
            if what == "search":
                adapter.lookup_account("acme", call=CALL)
            else:
                adapter.get_deal(what, call=CALL)
            ended["answered"] += 1
        except RemoteFailure as failed:
            ended["ours" if failed.ours else failed.error_class] += 1
            time.sleep(0.02)
    sys.stdout.write(json.dumps(ended) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
