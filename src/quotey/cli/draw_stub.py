"""Draws what the stub CRM holds and what it was told, in its own words."""

from __future__ import annotations

from quotey.app.listing import Listing
from quotey.app.stub import DefinedProperty, Effect, FaultSpec, Played, RemoteState
from quotey.cli.draw_records import compact
from quotey.cli.screen import Screen
from quotey.contract.counting import counted
from quotey.contract.drift import described


def draw_state(screen: Screen, state: RemoteState) -> None:
    """Draw one record as the CRM holds it."""
    screen.line(f"{state.entity}/{state.ref} revision {state.revision}{_end(state)}", style="bold")
    screen.pairs([("at", state.at), *state.payload.items()])


def _end(state: RemoteState) -> str:
    if state.merged_into:
        return f", merged into {state.merged_into}"
    return ", deleted" if state.deleted else ""


def draw_states(screen: Screen, states: Listing[RemoteState]) -> None:
    """Draw records of one entity, in the order of their last change."""
    screen.line(counted(len(states.items), "record"))
    if states.items:
        screen.table(
            ("crm id", "revision", "at", "end", "payload"),
            [
                (
                    one.ref,
                    one.revision,
                    one.at,
                    _end(one).lstrip(", ") or None,
                    compact(one.payload),
                )
                for one in states.items
            ],
        )


def draw_fault(screen: Screen, spec: FaultSpec) -> None:
    """Draw one fault."""
    after = f" after {counted(spec.after, 'call')}" if spec.after else ""
    times = counted(spec.times, "time")
    screen.line(f"{spec.kind} will strike {spec.operation} {times}{after}.")


def draw_definition(screen: Screen, defined: DefinedProperty) -> None:
    """Draw how a property is defined now."""
    screen.line(f"{defined.property} is {described(defined.definition)}.")


def draw_faults(screen: Screen, faults: Listing[FaultSpec]) -> None:
    """Draw the faults that wait."""
    screen.line(counted(len(faults.items), "fault waits", "faults wait"))
    if faults.items:
        screen.table(
            ("kind", "operation", "times", "after", "retry after"),
            [
                (one.kind, one.operation, one.times, one.after, one.retry_after)
                for one in faults.items
            ],
        )


def draw_played(screen: Screen, played: Listing[Played]) -> None:
    """Draw the edits that were played."""
    screen.line(f"{counted(len(played.items), 'edit')} played in the CRM")
    if played.items:
        screen.table(
            ("step", "edit", "record", "why"),
            [
                (f"{one.step} of {one.of}", one.action, f"{one.entity}/{one.ref}", one.why or None)
                for one in played.items
            ],
        )


def draw_effects(screen: Screen, effects: Listing[Effect]) -> None:
    """Draw what the CRM has seen."""
    screen.line(counted(len(effects.items), "effect"))
    if effects.items:
        screen.table(
            ("n", "at", "operation", "record", "revision", "key", "quote", "body"),
            [
                (
                    one.seq,
                    one.at,
                    one.operation,
                    f"{one.entity}/{one.ref}",
                    one.revision,
                    one.key or None,
                    f"{one.quote_id} v{one.version}" if one.quote_id else None,
                    compact(one.body),
                )
                for one in effects.items
            ],
        )
