"""Two real processes on one file: the chain does not fork and nothing is claimed twice."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from quotey.contract.journal import OpState
from quotey.store import Store, open_store
from tests.store.make import operation

LANES, EACH, EVENTS = 5, 12, 60

WORKER = """
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from quotey.contract.journal import AuditEvent, OpState
from quotey.store import open_store

name, now = sys.argv[2], datetime(2026, 2, 23, 11, tzinfo=UTC)
store = open_store(Path(sys.argv[1]), role="sync", busy_timeout=60)
print("ready", flush=True)
sys.stdin.readline()
with store.transaction():
    store.audit.append([AuditEvent(kind="work.began", at=now, actor=name, correlation_id="c")])
while len(store.audit.list(kind="work.began")) < 2:
    pass
for number in range(int(sys.argv[3])):
    with store.transaction():
        claimed = store.outbox.claim("main", now, now + timedelta(seconds=40))
        store.audit.append([
            AuditEvent(kind="work.claimed", at=now, actor=name, correlation_id=str(number),
                       entity="operation", entity_id=op.id)
            for op in claimed
        ] or [AuditEvent(kind="work.idle", at=now, actor=name, correlation_id=str(number))])
    for op in claimed:
        with store.transaction():
            assert store.outbox.mark_sent(op.id, op.lease_token, now)
            assert store.outbox.settle(op.id, op.lease_token, state=OpState.DELIVERED, at=now)
store.close()
"""


def start(path: Path, name: str, events: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, str(path), name, str(events)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def run_together(path: Path, *names: str) -> None:
    """Start all, let them go at once, and wait for each to end well."""
    workers = [start(path, name, EVENTS) for name in names]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    for worker in workers:
        worker.communicate(timeout=60)
        assert worker.returncode == 0


def queue(store: Store) -> None:
    with store.transaction():
        for number in range(LANES * EACH):
            store.outbox.add(operation(number, lane=f"deal/{number % LANES}"))


def test_two_processes_share_one_chain_and_claim_nothing_twice(path: Path) -> None:
    with open_store(path, role="desk") as store:
        queue(store)
    run_together(path, "one", "two")
    with open_store(path, role="desk") as store:
        report = store.audit.verify()
        assert (report.ok, report.events) == (True, 2 * EVENTS + 2)
        events = store.audit.list(kind="work.claimed", limit=10_000)
        assert len({event.entity_id for event in events}) == len(events) == LANES * EACH
        ops = store.outbox.list("main", limit=1000)
        assert {(op.state, op.attempts, op.lease_token) for op in ops} == {
            (OpState.DELIVERED, 1, 1)
        }
        assert store.admin.check() == ()


OPENER = """
import sys
from pathlib import Path
from quotey.store import open_store

for line in sys.stdin:
    with open_store(Path(line.strip()), role="sync") as store:
        print(store.instance_id, flush=True)
"""


def test_processes_that_make_the_file_at_once_agree_on_who_it_is(tmp_path: Path) -> None:
    openers = [
        subprocess.Popen(
            [sys.executable, "-c", OPENER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    for number in range(20):
        for opener in openers:
            assert opener.stdin is not None
            opener.stdin.write(f"{tmp_path / str(number) / 'quotey.db'}\n")
            opener.stdin.flush()
        answers = {opener.stdout.readline() for opener in openers if opener.stdout is not None}
        assert len(answers) == 1
        assert answers != {""}
    for opener in openers:
        opener.communicate(timeout=60)
        assert opener.returncode == 0
