"""A sync in a process of its own that is killed between the remote effect and our books.

    python -m tests.seed.killed <home> <data set> <moment>

`moment` is the clock's, as a text. The stub really carries the write out; then SIGKILL.
"""

from __future__ import annotations

import os
import signal
import sys
from datetime import datetime
from pathlib import Path

from quotey.adapters.stub import PROVIDER, StubSettings, open_adapter
from quotey.contract.mapping_file import parse_mapping
from quotey.store import open_store
from quotey.sync import engine
from quotey.sync.ports import Ports
from quotey.testing.clock import VirtualClock, counting_ids
from tests.sync.bent import bend, then


def main(home: str, dataset: str, moment: str) -> None:
    """Sync until the quote has landed; nothing of it is settled here any more."""
    settings = StubSettings(dataset=Path(dataset))
    mapping = parse_mapping(PROVIDER.shipped_mapping(settings), name="stub.toml")
    stub = open_adapter(settings, mapping, "main", home=Path(home))

    def die(_written: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    engine.run(
        Ports(
            store=open_store(Path(home) / "quotey.db", role="sync"),
            adapter=bend(stub, write_quote=then(stub.write_quote, die)),
            mapping=mapping,
            clock=VirtualClock(datetime.fromisoformat(moment)),
            ids=counting_ids(),
            jitter=lambda: 0.5,
        )
    )
    raise SystemExit("the quote was never written")


if __name__ == "__main__":
    main(*sys.argv[1:])
