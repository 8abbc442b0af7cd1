"""`quotey crm stub`: drive the offline CRM, as a sales person or a bad day would.

These are edits on the other side; the next sync meets them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from quotey.app.listing import Listing
from quotey.app.stub import Edited
from quotey.cli.answer import Answer, Folder, Injected
from quotey.cli.draw_stub import (
    draw_definition,
    draw_effects,
    draw_fault,
    draw_faults,
    draw_played,
    draw_state,
    draw_states,
)
from quotey.cli.pairs import read_pairs, read_record
from quotey.contract.counting import counted
from quotey.contract.errors import UsageError

Record = Annotated[str, Parameter(help="<entity>/<id of the CRM>, as deal/D-1001")]
Fields = Annotated[str, Parameter(help="field=value; nothing after = means null")]
SYNC = ("quotey crm sync",)


def set_(record: Record, /, *fields: Fields, quotey: Injected) -> Answer:
    """Edit a record in the CRM: contract fields, or the CRM's own properties.

    $ quotey crm stub set deal/D-1001 stage=won amount=9000
    """
    entity, ref = read_record(record)
    state = quotey.stub.set(entity, ref, read_pairs(fields))
    return Answer(data=state, draw=lambda screen: draw_state(screen, state), next=SYNC)


def add(record: Record, /, *fields: Fields, quotey: Injected) -> Answer:
    """Make a record in the CRM.

    $ quotey crm stub add account/A-9001 name="New Works" segment=smb
    """
    entity, ref = read_record(record)
    state = quotey.stub.add(entity, ref, read_pairs(fields))
    return Answer(data=state, draw=lambda screen: draw_state(screen, state), next=SYNC)


def delete(record: Record, /, *, quotey: Injected) -> Answer:
    """Delete a record in the CRM; it stays there as evidence that it is gone.

    $ quotey crm stub delete deal/D-1001
    """
    state = quotey.stub.delete(*read_record(record))
    return Answer(data=state, draw=lambda screen: draw_state(screen, state), next=SYNC)


def merge(
    loser: Record,
    winner: Annotated[str, Parameter(help="the id of the record that stays")],
    /,
    *,
    quotey: Injected,
) -> Answer:
    """Merge one record into another in the CRM.

    $ quotey crm stub merge account/A-1002 A-1001
    """
    entity, ref = read_record(loser)
    state = quotey.stub.merge(entity, ref, winner.removeprefix(f"{entity}/"))
    return Answer(data=state, draw=lambda screen: draw_state(screen, state), next=SYNC)


def fail(
    kind: Annotated[str, Parameter(help="timeout_before, timeout_after, server_error, …")],
    /,
    *,
    quotey: Injected,
    operation: Annotated[str, Parameter(help="which operation, as write_quote; default: *")] = "*",
    times: Annotated[int, Parameter(help="how often; default: once")] = 1,
    after: Annotated[int, Parameter(help="how many calls are spared first; default: none")] = 0,
    retry_after: Annotated[
        float | None, Parameter(help="seconds that a rate limit names; default: none")
    ] = None,
    delay: Annotated[
        int | None, Parameter(help="further requests before a late effect lands; default: 8")
    ] = None,
) -> Answer:
    """Tell the CRM to fail.

    Kinds: timeout_before, timeout_after, server_error, rate_limited, auth, mapping_error,
    partial_batch, duplicate_page, out_of_order, skipped_rows, late_effect (of write_quote).

    $ quotey crm stub fail timeout_after --operation write_quote
    $ quotey crm stub fail rate_limited --retry-after 30 --times 2
    """
    spec = quotey.stub.fail(
        kind,
        operation=operation,
        times=times,
        after=after,
        retry_after=retry_after,
        delay=delay,
    )
    return Answer(data=spec, draw=lambda screen: draw_fault(screen, spec), next=SYNC)


def define(
    name: Annotated[str, Parameter(help="a contract field, as deal.stage, or <entity>.<property>")],
    /,
    *,
    quotey: Injected,
    gone: Annotated[bool, Parameter(negative="", help="it is not there any more")] = False,
    read_only: Annotated[bool, Parameter(negative="", help="it cannot be written")] = False,
    type_: Annotated[str, Parameter(name="--type", help="it holds another type, as number")] = "",
    without: Annotated[
        tuple[str, ...], Parameter(help="a word that its list has lost; may be repeated")
    ] = (),
    restore: Annotated[bool, Parameter(negative="", help="as the mapping wants it")] = False,
) -> Answer:
    """Change how the CRM defines a property, as an administrator would; --restore mends it.

    $ quotey crm stub define deal.stage --gone
    $ quotey crm stub define deal.amount --read-only
    $ quotey crm stub define deal.stage --restore
    """
    edited = Edited(gone=gone, read_only=read_only, type=type_, without=without)
    if restore == (edited != Edited()):
        raise UsageError("Say either how it changes, or --restore. Nothing was changed.")
    defined = quotey.stub.define(name, edited)
    return Answer(
        data=defined,
        draw=lambda screen: draw_definition(screen, defined),
        next=("quotey crm doctor",),
    )


def heal(*, quotey: Injected) -> Answer:
    """Forget all faults that still wait.

    $ quotey crm stub heal
    """
    forgotten = quotey.stub.heal()
    return Answer(
        data={"forgotten": forgotten},
        draw=lambda screen: screen.line(f"{counted(forgotten, 'fault')} forgotten."),
    )


def play(
    *,
    quotey: Injected,
    cwd: Folder,
    steps: Annotated[int | None, Parameter(help="how many; default: all that are left")] = None,
    script: Annotated[
        Path | None, Parameter(help="a TOML file of edits; default: the data set's")
    ] = None,
) -> Answer:
    """Play the next later edits of the data set's script.

    $ quotey crm stub play
    $ quotey crm stub play --steps 1
    """
    played = Listing(items=quotey.stub.play(steps, script=cwd / script if script else None))
    return Answer(data=played, draw=lambda screen: draw_played(screen, played), next=SYNC)


def show(
    what: Annotated[
        str | None, Parameter(help="<entity>/<id>, or an entity; default: waiting faults")
    ] = None,
    /,
    *,
    quotey: Injected,
    limit: Annotated[int, Parameter(help="how many records of an entity; default: 100")] = 100,
) -> Answer:
    """Show a record as the CRM holds it, the records of one entity, or the faults that wait.

    $ quotey crm stub show deal/D-1001
    $ quotey crm stub show deal
    $ quotey crm stub show
    """
    if what is None:
        faults = Listing(items=quotey.stub.faults())
        return Answer(data=faults, draw=lambda screen: draw_faults(screen, faults))
    if "/" in what:
        state = quotey.stub.show(*read_record(what))
        return Answer(data=state, draw=lambda screen: draw_state(screen, state))
    states = Listing(items=quotey.stub.list(what, limit=limit))
    return Answer(data=states, draw=lambda screen: draw_states(screen, states))


def log(
    *,
    quotey: Injected,
    limit: Annotated[int, Parameter(help="how many, 0: all; default: 50")] = 50,
) -> Answer:
    """List every change that the CRM has really seen, oldest first.

    $ quotey crm stub log
    """
    effects = Listing(items=quotey.stub.log(limit=limit))
    return Answer(data=effects, draw=lambda screen: draw_effects(screen, effects))


def reset(*, quotey: Injected) -> Answer:
    """Bring the CRM back to its data set, as edits that a sync meets. Faults are forgotten.

    $ quotey crm stub reset
    """
    done = quotey.stub.reset()
    return Answer(
        data=done,
        draw=lambda screen: screen.line(
            f"{done.restored} records restored, {done.removed} removed."
        ),
        next=SYNC,
    )
