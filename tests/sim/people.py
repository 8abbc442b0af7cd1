"""People who work in the CRM itself: edits, marks of other desks, ends, merges, bad values."""

from __future__ import annotations

from tests.sim.actors import Stage
from tests.sim.crm import COPY, Mark, RefusedByCrmError
from tests.sim.words import POLICIES, mapping


def people(stage: Stage, until: float) -> None:
    """Have somebody in the CRM do something, again and again, until a time."""
    dice, longest = stage.dice.stream("people"), stage.dice.profile.people

    def act() -> None:
        if stage.scheduler.now < until and not stage.dice.calm:
            try:
                _meddle(stage)
            except RefusedByCrmError:
                stage.ledger.probe("the CRM refused people")
            stage.scheduler.at(stage.scheduler.now + dice.uniform(1.0, longest), act)

    stage.scheduler.at(0.0, act)


def _meddle(stage: Stage) -> None:
    crm, dice, now = stage.crm, stage.dice.stream("people"), stage.scheduler.now
    living = crm.refs("deal")
    if not living:
        return
    ref = dice.choice(living)
    if stage.dice.strikes("foreign_marker"):
        other = Mark("inst_other", f"q_other_{int(now)}", dice.randint(1, 9), "d")
        crm.mark(ref, other, {"quote_total": "1"}, by="people", sent_at=now)
    if stage.dice.strikes("own_marker"):
        _as_if_it_were_us(stage, ref)
    if stage.dice.strikes("foreign_edit"):
        name = dice.choice(["name", "amount", "stage", "region"])
        value = stage.ledger.amount() if name == "amount" else stage.ledger.word()
        crm.change("deal", ref, {name: value}, by="people", sent_at=now)
        account = dice.choice(crm.refs("account"))
        crm.change("account", account, {"name": stage.ledger.word()}, by="people", sent_at=now)
        _meddle_with_contacts(stage)
    if stage.dice.strikes("poison"):
        crm.change("deal", ref, {"amount": "not money"}, by="people", sent_at=now)
        stage.ledger.probe("poison")
    if stage.dice.strikes("delete") and len(living) > 1:
        crm.delete("deal", ref)
    elif stage.dice.strikes("merge") and len(living) > 2:
        crm.merge("deal", ref, dice.choice([one for one in living if one != ref]))


def _meddle_with_contacts(stage: Stage) -> None:
    """Rename, move or delete a contact; some move to an account that was made at this moment."""
    crm, dice, now = stage.crm, stage.dice.stream("contacts"), stage.scheduler.now
    living = crm.refs("contact")
    if not living or dice.random() < 0.3:
        return
    ref, accounts = dice.choice(living), crm.refs("account")
    match dice.choice(["name", "name", "move", "to a new one", "delete"]):
        case "name":
            fields = {"last_name": stage.ledger.word(), "email": f"{stage.ledger.word()}@a.example"}
            crm.change("contact", ref, fields, by="people", sent_at=now)
        case "move":
            fields = {"account_id": dice.choice(accounts)}
            crm.change("contact", ref, fields, by="people", sent_at=now)
        case "to a new one":
            made = f"A-{len(crm.history['account']) + 1}"
            crm.put("account", made, {"name": stage.ledger.word(), "segment": "SMB"})
            crm.change("contact", ref, {"account_id": made}, by="people", sent_at=now)
            stage.ledger.probe("a contact moved to a new account")
        case _:
            crm.delete("contact", ref)
            stage.ledger.probe("a contact was deleted")


def policy_changes(stage: Stage, until: float) -> None:
    """Now and then write another policy of a field into the mapping."""
    dice = stage.dice.stream("policies")

    def act() -> None:
        if stage.scheduler.now < until and not stage.dice.calm:
            if stage.dice.strikes("policy"):
                stage.mapping = mapping(dice.choice(POLICIES))
                stage.ledger.probe("a policy was changed")
            stage.scheduler.at(stage.scheduler.now + dice.uniform(5.0, 30.0), act)

    stage.scheduler.at(5.0, act)


def swizzles(stage: Stage, until: float) -> None:
    """Stop several processes at once, now and then; each goes on at a time of its own."""
    dice = stage.dice.stream("swizzle")

    def act() -> None:
        if stage.scheduler.now < until and not stage.dice.calm:
            if stage.dice.strikes("swizzle"):
                living = [one for one in stage.processes if one.is_waiting]
                for process in dice.sample(living, min(len(living), dice.randint(2, 4))):
                    process.stop(dice.uniform(20.0, 90.0))
                stage.ledger.probe("several processes were stopped at once")
            stage.scheduler.at(stage.scheduler.now + dice.uniform(5.0, 30.0), act)

    stage.scheduler.at(5.0, act)


def _as_if_it_were_us(stage: Stage, ref: str) -> None:
    """Leave a mark of our own quote that we never wrote, as a copy of this database would.

    Its number is ours, or newer; its payload is another.
    """
    there = stage.crm.living("deal", ref).mark
    if there is None or there.instance != stage.ledger.instance:
        return
    dice = stage.dice.stream("own_marker")
    copy = Mark(there.instance, there.quote, there.version + dice.randint(0, 3), COPY)
    stage.crm.mark(ref, copy, {"quote_total": "2"}, by="people", sent_at=stage.scheduler.now)
    stage.ledger.probe("a copy of us wrote")


def touch_everything(stage: Stage) -> None:
    """Change a field of every living record that only the CRM writes."""
    for entity, field in (("account", "name"), ("contact", "last_name"), ("deal", "stage")):
        for ref in stage.crm.refs(entity):
            fields = {field: stage.ledger.word()}
            stage.crm.change(entity, ref, fields, by="people", sent_at=stage.scheduler.now)
