"""Operators: two people who settle what no rule can, retry, authorise again, and think again."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

from quotey.contract.fields import Policy
from quotey.contract.reconciliation import ConflictType
from quotey.desk import outbox, reconcile
from quotey.desk.ports import DeskPorts
from quotey.desk.reconcile import Decision
from quotey.store import Store
from quotey.sync import door, engine
from tests.sim.actors import Stage, ports_of
from tests.sim.ledger import Edit
from tests.sim.line import Line
from tests.sim.scheduler import Process, SkewedClock

FIELD = (ConflictType.LOCKED_FIELD_OVERWRITE, ConflictType.UNDECIDED_MERGE)
"""What is asked about one field, and may be answered by a value of one's own."""


def operating(stage: Stage, actor: str) -> Callable[[Process], None]:
    """Make the body of an operator, who settles items, retries, and authorises again."""

    def body(process: Process) -> None:
        dice = stage.dice.stream("operator")
        with closing(stage.home.open(process, "desk")) as store:
            while True:
                process.wait(600.0 if stage.slow else dice.uniform(5.0, stage.dice.profile.desk))
                desk = stage.desk(process, store, actor)
                _reauthorise(stage, process, store)
                if not stage.dice.calm and dice.random() < 0.5:
                    _settle(stage, desk)
                elif not stage.dice.calm and dice.random() < 0.3:
                    _retry(stage, desk)
                if stage.dice.strikes("second_thoughts"):
                    _think_again(stage, desk)

    return body


def _settle(stage: Stage, desk: DeskPorts) -> None:
    dice = stage.dice.stream("operator")
    waiting = stage.sight.waiting()
    if waiting:
        policy = dice.choice([Policy.CRM_WINS, Policy.LOCAL_WINS, Policy.MERGE_WITH_AUDIT])
        chosen = dice.choice(waiting[:2] if dice.random() < 0.5 else waiting)
        item, rev = chosen["id"], chosen["rev"]
        decision = Decision(policy=policy, rev=rev)
        answer = stage.tried(lambda: reconcile.apply(desk, item, decision))
        stage.ledger.note(desk.actor, f"settles {item} by {policy}: {answer is not None}")
        if answer is not None:
            stage.ledger.items_are_settled_once(desk.actor, item, rev)
            stage.ledger.probe("an operator settled an item")


def _retry(stage: Stage, desk: DeskPorts) -> None:
    dead = stage.sight.stuck()
    if dead:
        op = stage.dice.stream("operator").choice(dead)
        if stage.tried(lambda: outbox.retry(desk, op)) is not None:
            stage.ledger.probe("an operator retried")


def _think_again(stage: Stage, desk: DeskPorts) -> None:
    """Take a decision back, put one off, decide by hand, or drop what was to be sent."""
    act = stage.dice.stream("second thoughts").choice([_undo, _undo, _defer, _set, _drop])
    act(stage, desk)


def _undo(stage: Stage, desk: DeskPorts) -> None:
    if settled := stage.sight.settled():
        item = stage.dice.stream("second thoughts").choice(settled)
        if stage.tried(lambda: reconcile.undo(desk, item)) is not None:
            stage.ledger.probe("a decision was taken back")


def _defer(stage: Stage, desk: DeskPorts) -> None:
    if waiting := stage.sight.waiting():
        item = stage.dice.stream("second thoughts").choice(waiting)["id"]
        if stage.tried(lambda: reconcile.defer(desk, item, "1m")) is not None:
            stage.ledger.probe("an item was put off")


def _drop(stage: Stage, desk: DeskPorts) -> None:
    if unsettled := stage.sight.unsettled():
        op = stage.dice.stream("second thoughts").choice(unsettled)
        if stage.tried(lambda: outbox.discard(desk, op, reason="not wanted")) is not None:
            stage.ledger.probe("an operator dropped an operation")


def _set(stage: Stage, desk: DeskPorts) -> None:
    """Put a value of one's own into a field; it is as acknowledged as any edit."""
    waiting = [one for one in stage.sight.waiting() if one["conflict_type"] in FIELD]
    if not waiting:
        return
    item = stage.dice.stream("second thoughts").choice(waiting)
    name, id_ = item["field_name"], item["id"]
    value = stage.ledger.amount() if name == "amount" else stage.ledger.word()
    decision = Decision(value=value, rev=item["rev"])
    if stage.tried(lambda: reconcile.apply(desk, id_, decision)) is not None:
        stage.ledger.items_are_settled_once(desk.actor, id_, item["rev"])
        stage.ledger.probe("a person set a value by hand")
        place = (item["entity_type"], item["entity_id"], name)
        stage.ledger.edits.append(Edit(*place, value, stage.seqs[desk.actor]))


def _reauthorise(stage: Stage, process: Process, store: Store) -> None:
    """Do what `crm connect` does, when the CRM has closed itself to us."""
    if stage.crm.authorised and not stage.sight.is_stopped():
        return
    line = Line(process, stage.crm, stage.dice, stage.ledger, 1)
    ports = replace(ports_of(stage, process, store, line), clock=SkewedClock(process))
    stage.crm.authorised = True
    stage.tried(lambda: door.reconnect(engine.begin(ports)))
    stage.ledger.probe("authorised again")
