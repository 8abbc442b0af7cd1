"""Every command commits all of it or nothing: here the commit itself fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from quotey.contract.fields import Policy
from quotey.contract.journal import OpState
from quotey.desk import deals, locks, outbox, quotes, reconcile
from quotey.desk.quotes import QuoteTerms
from quotey.desk.reconcile import Decision
from quotey.store import Store
from tests.desk.desk_world import DeskWorld, open_world


class PowerCutError(Exception):
    """The machine stops before the commit."""


class Fragile(Store):
    """A store whose commits fail while `cut` is on."""

    cut = False

    def _commit(self, label: str) -> None:
        if self.cut:
            raise PowerCutError(label)
        super()._commit(label)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[DeskWorld]:
    made = open_world(tmp_path, kind=Fragile)
    made.account()
    made.quoted(made.deal())
    made.settle(made.op("op_1"), OpState.DEAD)
    made.quoted(made.deal(), "200")
    deals.update(made.desk, "deal_1", {"amount": "150"})
    made.clash(made.deal(2), "amount", "120")
    done = made.clash(made.deal(3), "amount", "120")
    reconcile.apply(made.desk, done.id, Decision(policy=Policy.LOCAL_WINS))
    locks.lock(made.desk, "deal/deal_2", "stage", duration="1h", reason="x")
    (made.home / "attachments" / "a.pdf").write_bytes(b"a")
    yield made
    made.store.close()


COMMANDS: dict[str, Callable[[DeskWorld], object]] = {
    "create": lambda w: quotes.create(w.desk, "deal_1", QuoteTerms(total="3"), token="t"),
    "revise": lambda w: quotes.revise(w.desk, "q_1", QuoteTerms(total="3"), token="t"),
    "publish": lambda w: quotes.publish(w.desk, "q_2"),
    "status": lambda w: quotes.change_status(w.desk, "q_1", "cancelled"),
    "attach": lambda w: quotes.attach(w.desk, "q_1", "a.pdf"),
    "deal create": lambda w: deals.create(
        w.desk, "acc_1", {"name": "N", "stage": "s", "currency": "EUR"}
    ),
    "deal update": lambda w: deals.update(w.desk, "deal_1", {"name": "Other"}),
    "lock": lambda w: locks.lock(w.desk, "deal/deal_1", "stage", duration="1h", reason="x"),
    "unlock": lambda w: locks.unlock(w.desk, "deal/deal_2", "stage"),
    "apply": lambda w: reconcile.apply(w.desk, "r_1", Decision(policy=Policy.CRM_WINS)),
    "defer": lambda w: reconcile.defer(w.desk, "r_1", "2d"),
    "undo": lambda w: reconcile.undo(w.desk, "r_2"),
    "discard": lambda w: outbox.discard(w.desk, "op_1", reason="x"),
    "retry": lambda w: outbox.retry(w.desk, "op_1"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_leaves_all_of_its_effect_or_none(world: DeskWorld, name: str) -> None:
    assert isinstance(world.store, Fragile)
    before = world.dump()
    world.store.cut = True
    with pytest.raises(PowerCutError):
        COMMANDS[name](world)
    world.store.cut = False
    assert world.dump() == before

    COMMANDS[name](world)
    after = world.dump()
    changed = {table for table in after if after[table] != before[table]}
    assert "audit_event" in changed, "every command is audited with its effect"
    assert len(changed) > 2
