"""What a person may decide of an open item: the table of design section 9, as a table.

Nothing is changed here; `desk` carries a settlement out.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Literal, assert_never

import msgspec

from quotey.contract.fields import Policy
from quotey.contract.mapping import FieldMapping
from quotey.contract.reconciliation import ConflictType, ItemState, Reconciliation
from quotey.decide.items import WHOLE_RECORD
from quotey.decide.remedies import reason, ways
from quotey.decide.strategy import Picked, Winner, first_of, pick

Action = Literal[
    "take_remote",
    "keep_local",
    "set_value",
    "discard_operation",
    "confirm_from_marker",
    "send_again",
    "rebind",
    "accept_gone",
]


class Settlement(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What is to be done.

    `value` is the value that stands, or the ref to rebind to. `ends_lock` lifts the field's lock;
    `reassert` sends the value to the CRM; `at` is when it was decided.
    """

    action: Action
    at: datetime
    value: str | None = None
    ends_lock: bool = False
    reassert: bool = False


class Refusal(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Why it may not be settled so, and the commands that help."""

    sentence: str
    next: tuple[str, ...] = ()


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """The item, and what the person asked for."""

    item: Reconciliation
    policy: Policy | None
    value: str | None
    field: FieldMapping | None
    rebind: bool
    now: datetime
    source_priority: tuple[str, ...]


Choice = Literal["crm_wins", "local_wins", "merge_with_audit", "value", "rebind"]
"""The columns of the table."""

Answer = Settlement | Refusal


def settle(
    item: Reconciliation,
    policy: Policy | None,
    value: str | None,
    *,
    field: FieldMapping | None,
    rebind: bool = False,
    now: datetime,
    source_priority: tuple[str, ...] = ("crm", "local"),
) -> Settlement | Refusal:
    """Say what settling the item so would do, or why it may not be settled so.

    `value` is canonical text, already checked against the field's type; `field` is the mapping of
    the item's field, None when it has none. Source: design section 9, "Conflicts".
    """
    wish = Wish(
        item=item,
        policy=policy,
        value=value,
        field=field,
        rebind=rebind,
        now=now,
        source_priority=source_priority,
    )
    if item.state is ItemState.RESOLVED:
        return Refusal(
            sentence=f"{item.id} was settled already by {item.resolved_by or 'sync'}: "
            f"{item.resolution or 'no reason was kept'}. Nothing was changed.",
            next=(f"quotey crm reconcile show {item.id}",),
        )
    choice = _choice(wish)
    if isinstance(choice, Refusal):
        return choice
    answer = TABLE[item.conflict_type].get(choice)
    return answer(wish) if answer else _refuse(wish, reason(item))


CHOICES: dict[Policy | None, Choice] = {
    Policy.CRM_WINS: "crm_wins",
    Policy.LOCAL_WINS: "local_wins",
    Policy.MERGE_WITH_AUDIT: "merge_with_audit",
}
"""Policies that pick a side; the fourth does not."""


def _choice(wish: Wish) -> Choice | Refusal:
    """Read one column out of what was asked; more than one is a contradiction."""
    if wish.rebind:
        alone = wish.policy is None
        return "rebind" if alone else _refuse(wish, "--rebind goes without --policy")
    if wish.value is not None:
        fits = wish.policy in (None, Policy.MERGE_WITH_AUDIT)
        return "value" if fits else _refuse(wish, f"--value goes without --policy {wish.policy}")
    chosen = CHOICES.get(wish.policy)
    return chosen or _refuse(wish, "say with --policy or --value what is to stand")


# --- the answers ---------------------------------------------------------------------------------


def _take_remote(wish: Wish) -> Answer:
    """The CRM's value stands, and a lock against it has no sense any more."""
    return Settlement(
        action="take_remote", at=wish.now, value=wish.item.remote_value, ends_lock=True
    )


def _keep_local(wish: Wish) -> Answer:
    """Ours stands; a lock goes on until its time."""
    return Settlement(
        action="keep_local",
        at=wish.now,
        value=wish.item.local_value,
        reassert=_flows_out(wish),
    )


def _set_value(wish: Wish) -> Answer:
    return _set(wish, wish.value)


def _merge(wish: Wish) -> Answer:
    """Merge by the field's strategy; what it leaves undecided goes by source priority."""
    picked = _picked(wish)
    if picked is None:
        path = f"{wish.item.entity_type}.{wish.item.field_name}"
        return _refuse(wish, f"{path} has no strategy that could merge it")
    match picked.winner:
        case Winner.REMOTE:
            return _take_remote(wish)
        case Winner.LOCAL:
            return _keep_local(wish)
        case Winner.BOTH:
            return _set(wish, picked.value)
        case _:
            assert_never(picked.winner)


def _picked(wish: Wish) -> Picked | None:
    field, item = wish.field, wish.item
    if field is None or field.strategy is None:
        return None
    picked = pick(
        field.strategy,
        field.type,
        local=(item.local_value, None),
        remote=(item.remote_value, None),
        tolerance_seconds=0,
        source_priority=wish.source_priority,
    )
    first = first_of(wish.source_priority)
    if picked is None and first is not None:
        return Picked(first, item.local_value if first is Winner.LOCAL else item.remote_value)
    return picked


def _set(wish: Wish, value: str | None) -> Settlement:
    return Settlement(action="set_value", at=wish.now, value=value, reassert=_flows_out(wish))


def _discard(wish: Wish) -> Answer:
    return Settlement(action="discard_operation", at=wish.now)


def _confirm(wish: Wish) -> Answer:
    return Settlement(action="confirm_from_marker", at=wish.now)


def _send_again(wish: Wish) -> Answer:
    """A look at the marker comes before the send, as always."""
    return Settlement(action="send_again", at=wish.now)


def _rebind(wish: Wish) -> Answer:
    """A record that was merged away gets an alias; a changed identity field takes its new value."""
    if wish.item.field_name != WHOLE_RECORD:
        return _take_remote(wish)
    ref = wish.value or wish.item.remote_value
    if ref is None:
        return _refuse(wish, "the CRM names no survivor, so --value must name the record")
    return Settlement(action="rebind", at=wish.now, value=ref)


def _accept_gone(wish: Wish) -> Answer:
    """The CRM's deletion stands; what was to be written to the record is dropped (ADR 0004)."""
    return Settlement(action="accept_gone", at=wish.now)


def _refuse(wish: Wish, why: str) -> Refusal:
    item = wish.item
    return Refusal(
        sentence=f"{item.id} ({item.conflict_type}) was not settled: {why}. Nothing was changed.",
        next=ways(item),
    )


def _flows_out(wish: Wish) -> bool:
    return wish.field is not None and wish.field.flows_out


# --- the table -----------------------------------------------------------------------------------

_FIELD: dict[Choice, Callable[[Wish], Answer]] = {
    "crm_wins": _take_remote,
    "local_wins": _keep_local,
    "merge_with_audit": _merge,
    "value": _set_value,
}
_OUTCOME: dict[Choice, Callable[[Wish], Answer]] = {
    "crm_wins": _confirm,
    "local_wins": _send_again,
}
_REBIND: dict[Choice, Callable[[Wish], Answer]] = {"rebind": _rebind}

TABLE: dict[ConflictType, dict[Choice, Callable[[Wish], Answer]]] = {
    ConflictType.STALE_OUTBOUND_WRITE: {"crm_wins": _discard},
    ConflictType.LOCKED_FIELD_OVERWRITE: _FIELD,
    ConflictType.UNDECIDED_MERGE: _FIELD,
    ConflictType.SCHEMA_MAPPING_MISMATCH: {},
    ConflictType.MISSING_PARENT: {},
    ConflictType.IDENTITY_MISMATCH: _REBIND,
    ConflictType.REMOTE_GONE: {"crm_wins": _accept_gone, **_REBIND},
    ConflictType.PARTIAL_SUCCESS: _OUTCOME,
    ConflictType.UNKNOWN_OUTCOME: _OUTCOME,
    # Design section 9 has no row for the last two. An operation that ran out of attempts is
    # dropped or tried again; a mass change is decided by the run that was stopped.
    ConflictType.ATTEMPTS_EXHAUSTED: {"crm_wins": _discard, "local_wins": _send_again},
    ConflictType.MASS_CHANGE: {},
}
"""What each policy may settle; what is absent is refused, with the reason and the next command."""
