"""What a mapping must keep to make sense: the contract's needs, directions, policies, transforms.

Each rule notes a problem with its line; none of them stops the next. Source: seed 3.3, 4.3, 9.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise

from quotey.contract.fields import (
    BY_PATH,
    Direction,
    Entity,
    FieldType,
    Need,
    Policy,
    Strategy,
    fields_of,
)
from quotey.contract.mapping import (
    Bucket,
    DateIn,
    EntityMapping,
    FieldMapping,
    Join,
    MoneyIn,
    QuoteTarget,
    Transform,
    ValueMap,
)
from quotey.contract.problems import KeyPath, Problems
from quotey.contract.transforms import EPOCH_MS, ISO, RESULT, REVERSIBLE, zone_of
from quotey.contract.values import FREE_TEXT_BYTES, parse

ORDERED = (FieldType.MONEY, FieldType.DATE, FieldType.INTEGER)
"""Types of which one value is the greater."""

MAX_SCALE = 9
"""Powers of ten by which amounts may be moved."""

_NARROWER = {
    Direction.INBOUND: (Direction.INBOUND,),
    Direction.OUTBOUND: (Direction.OUTBOUND,),
    Direction.BOTH: (Direction.INBOUND, Direction.BOTH, Direction.OUTBOUND),
}
"""What a mapping may make of the dictionary's direction."""


class Rules:
    """Checks one parsed entity after another and notes what is wrong."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems

    def check(self, entity: EntityMapping) -> None:
        """Check all fields of an entity, and that none is missing."""
        self._check_presence(entity)
        for field in entity.fields:
            path = (entity.entity, "fields", field.name)
            self._check_direction(entity.entity, field, path)
            self._check_policy(entity.entity, field, path)
            self._check_strategy(field, path)
            self._check_transform(field, path)
            self._check_default(field, path)
        self._check_paths((entity,))

    def check_slots(self, deal: EntityMapping, quote: EntityMapping, target: QuoteTarget) -> None:
        """Check that quote fields on the deal itself do not lie on top of the deal's own."""
        if target is QuoteTarget.DEAL_PROPERTIES:
            self._check_paths((deal, quote), across=True)

    def _note(self, code: str, path: KeyPath, key: str, message: str, fix: str = "") -> None:
        self._problems.add(code, (*path, key), f"{'.'.join(path)} {message}", fix=fix)

    def _check_presence(self, entity: EntityMapping) -> None:
        for row in fields_of(entity.entity):
            if row.need is Need.REQUIRED and entity.field(row.name) is None:
                message = f"{row.path} is required ({row.category}) and not mapped."
                fix = f"Add [{entity.entity}.fields.{row.name}]."
                self._problems.add("missing_field", (entity.entity, "fields"), message, fix=fix)

    def _check_direction(self, entity: Entity, field: FieldMapping, path: KeyPath) -> None:
        row = BY_PATH.get(f"{entity}.{field.name}")
        whole = row.direction if row else _custom_direction(entity)
        allowed = _NARROWER[whole]
        if field.direction not in allowed:
            can = " or ".join(allowed)
            self._note(
                "impossible_direction", path, "direction", f"cannot be {field.direction}.",
                f"It flows {can} only.",
            )  # fmt: skip
        elif entity is not Entity.QUOTE and field.direction is Direction.OUTBOUND:
            self._check_write_only(field, path)

    def _check_write_only(self, field: FieldMapping, path: KeyPath) -> None:
        if field.need is Need.REQUIRED:
            message = "is required, so it must be read: it cannot be outbound."
            self._note("impossible_direction", path, "direction", message, "Use both.")

    def _check_policy(self, entity: Entity, field: FieldMapping, path: KeyPath) -> None:
        if wrong := _policy_problem(entity, field):
            message, fix = wrong
            self._note("impossible_policy", path, "policy", message, fix)

    def _check_strategy(self, field: FieldMapping, path: KeyPath) -> None:
        if wrong := _strategy_problem(field):
            self._note("impossible_strategy", path, "strategy", wrong)

    def _check_transform(self, field: FieldMapping, path: KeyPath) -> None:
        for wrong in _transform_problems(field):
            self._note("bad_transform", path, "transform", wrong)

    def _check_default(self, field: FieldMapping, path: KeyPath) -> None:
        if field.default is None:
            return
        if field.name == "id" or field.direction is Direction.OUTBOUND:
            self._note("bad_default", path, "default", "cannot have a default.")
        elif wrong := _value_problem(field.default, field.type):
            self._note("bad_default", path, "default", f"has a bad default: {wrong}.")

    def _check_paths(self, entities: Iterable[EntityMapping], *, across: bool = False) -> None:
        """Note two fields on one path of which one is written: they would overwrite each other."""
        taken: dict[str, tuple[KeyPath, FieldMapping]] = {}
        for entity in entities:
            for field in entity.fields:
                if field.name == "id" and entity.entity is not Entity.QUOTE:
                    continue  # its path only names the key, which nobody writes
                path: KeyPath = (entity.entity, "fields", field.name)
                first, other = taken.setdefault(field.path, (path, field))
                new = first != path and (not across or first[0] != path[0])
                if new and (is_written(field) or is_written(other)):
                    message = f"stands on {field.path!r}, as {'.'.join(first)} does."
                    self._note("duplicate_path", path, "path", message)


def is_written(field: FieldMapping) -> bool:
    """Say whether a value of this field can reach the CRM."""
    return field.flows_out or field.sent_on_create


def _custom_direction(entity: Entity) -> Direction:
    return Direction.OUTBOUND if entity is Entity.QUOTE else Direction.BOTH


def _policy_problem(entity: Entity, field: FieldMapping) -> tuple[str, str] | None:
    policy, direction = field.policy, field.direction
    if field.name == "id":
        if policy is Policy.IMMUTABLE_AFTER_BIND:
            return None
        return f"cannot be {policy}.", "An id is immutable_after_bind."
    if entity is Entity.QUOTE and policy is not Policy.LOCAL_WINS:
        return f"cannot be {policy}.", "Quotes are authoritative here: local_wins."
    inbound = direction is Direction.INBOUND and entity is not Entity.QUOTE
    if policy is Policy.LOCAL_WINS and inbound:
        return "cannot be local_wins: its values cannot flow out.", "Use direction both."
    reads = (Policy.CRM_WINS, Policy.MERGE_WITH_AUDIT)
    if policy in reads and direction is Direction.OUTBOUND:
        return f"cannot be {policy}: it is never read.", "Use local_wins."
    return None


def _strategy_problem(field: FieldMapping) -> str | None:
    if field.policy is not Policy.MERGE_WITH_AUDIT:
        return "has a strategy, which only merge_with_audit knows." if field.strategy else None
    match field.strategy:
        case None:
            return f"needs a strategy: {', '.join(Strategy)}."
        case Strategy.MAX | Strategy.MIN if field.type not in ORDERED:
            return f"cannot be merged by {field.strategy}: {field.type} has no order."
        case Strategy.UNION if field.type is not FieldType.TEXT:
            return f"cannot be merged by union: {field.type} is not a text."
        case _:
            return None


def _transform_problems(field: FieldMapping) -> Iterator[str]:
    transform = field.transform
    if transform is None:
        return
    kind = str(transform.__struct_config__.tag)
    if field.name == "id":
        yield "is an id, which is never transformed."
    if field.type not in RESULT[type(transform)]:
        yield f"is of type {field.type}, which {kind} cannot give."
    if is_written(field) and not isinstance(transform, REVERSIBLE):
        yield f"is written to the CRM, and {kind} has no way back: make it inbound."
    yield from _inner_problems(transform, field.type)


def _inner_problems(transform: Transform, type: FieldType) -> Iterator[str]:  # noqa: A002
    match transform:
        case ValueMap():
            yield from _word_problems(transform, type)
        case Bucket():
            yield from _bound_problems(transform)
        case DateIn():
            yield from _date_problems(transform)
        case MoneyIn():
            yield from _scale_problems(transform)
        case Join() if not any(path.strip() for path in transform.paths):
            yield "joins no paths."
        case _:
            return


def _word_problems(words: ValueMap, type: FieldType) -> Iterator[str]:  # noqa: A002
    if not words.values:
        yield "has a value map without values."
    for theirs, ours in words.values.items():
        if wrong := _value_problem(ours, type):
            yield f"maps {theirs[:40]!r} to a bad value: {wrong}."


def _bound_problems(bucket: Bucket) -> Iterator[str]:
    bounds = [bound for bound, _ in bucket.below]
    if not bounds:
        yield "has a bucket without bounds."
    wrong = [problem for bound in bounds if (problem := _value_problem(bound, FieldType.MONEY))]
    yield from (f"has a bad bound: {problem}." for problem in wrong)
    numbers = [] if wrong else [Decimal(bound.strip()) for bound in bounds]
    if any(low >= high for low, high in pairwise(numbers)):
        yield "has bounds that do not rise."
    for name in (*(name for _, name in bucket.below), bucket.above):
        if not name.strip():
            yield "has a bucket without a name."


def _date_problems(transform: DateIn) -> Iterator[str]:
    try:
        zone_of(transform.timezone)
    except (ValueError, KeyError, OSError):
        yield f"names the time zone {transform.timezone[:40]!r}, which is not known here."
    if not _names_a_day(transform.format):
        yield f"has the format {transform.format[:40]!r}, which does not name a day."
    if transform.out and not _names_a_day(transform.out):
        yield f"is written as {transform.out[:40]!r}, which does not name a day."


def _names_a_day(pattern: str) -> bool:
    """Say whether a day that is written in this format is the same when it is read back."""
    if pattern in (ISO, EPOCH_MS):
        return True
    day = datetime(2031, 10, 29, 12, tzinfo=UTC)
    try:
        return datetime.strptime(day.strftime(pattern), pattern).date() == day.date()  # noqa: DTZ007
    except (ValueError, re.error):  # `strptime` trips over a directive that is there twice
        return False


def _scale_problems(transform: MoneyIn) -> Iterator[str]:
    if abs(transform.scale) > MAX_SCALE:
        yield f"has a scale outside -{MAX_SCALE} to {MAX_SCALE}."


def _value_problem(text: str, type: FieldType) -> str | None:  # noqa: A002
    """Say why a text of the file is no value of this type; None when it is one."""
    try:
        parse(text, type, max_bytes=FREE_TEXT_BYTES)
    except ValueError as error:
        return str(error)
    return None if text.strip() else "it is blank"
