"""What leaves the adapter when a write was refused, cannot be done, or has been done."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import date
from typing import NoReturn

from quotey.adapters.tryton.rpc import Rpc
from quotey.contract.adapter import Call
from quotey.contract.errors import (
    Diagnostic,
    ErrorClass,
    Outcome,
    RemoteFailure,
    Severity,
)
from quotey.contract.fields import Entity, FieldType
from quotey.contract.mapping import EntityMapping

CURRENCY = "currency.code"


@contextlib.contextmanager
def after_writing(what: str) -> Iterator[None]:
    """Say of a failure that the write before it has landed all the same."""
    try:
        yield
    except RemoteFailure as failure:
        raise RemoteFailure(
            f"{what}, but not all that belongs to it was done: {failure.message}",
            error_class=ErrorClass.UNKNOWN,
            outcome=Outcome.UNKNOWN,
            diagnostics=failure.diagnostics,
        ) from failure


def not_there(entity: Entity, ref: str) -> RemoteFailure:
    """Build the failure of a write to a record that is not there."""
    return RemoteFailure(
        f"{entity} {ref} is not in the CRM. Nothing was changed.",
        error_class=ErrorClass.PERMANENT,
    )


def moved_on(what: str, error_class: ErrorClass = ErrorClass.CONFLICT) -> RemoteFailure:
    """Build the failure of a write to what has changed since it was looked at."""
    return RemoteFailure(
        f"{what} was changed meanwhile. Nothing was changed by us.", error_class=error_class
    )


def not_mapped(entity: Entity, field: str, why: str) -> NoReturn:
    """Refuse a value that this CRM cannot take."""
    told = Diagnostic(
        code="not_writable",
        severity=Severity.ERROR,
        message=f"{entity}.{field} {why}.",
        entity=entity,
        field=field,
    )
    raise RemoteFailure(
        f"{told.message} Nothing was sent.", error_class=ErrorClass.MAPPING, diagnostics=(told,)
    )


def own_values(
    rpc: Rpc, mapping: EntityMapping, fields: dict[str, object], call: Call
) -> dict[str, object]:
    """Give Tryton's values: days as days, ids as numbers, a currency by its id."""
    types = {field.path: field.type for field in mapping.fields}
    values: dict[str, object] = {}
    for path, value in fields.items():
        if path == CURRENCY:
            values["currency"] = currency_id(rpc, mapping.entity, str(value), call)
        elif value is None:
            values[path] = None
        elif types.get(path) is FieldType.DATE:
            values[path] = date.fromisoformat(str(value))
        elif types.get(path) is FieldType.REF:
            values[path] = int(str(value))
        else:
            values[path] = value
    return values


def currency_id(rpc: Rpc, entity: Entity, code: str, call: Call) -> int:
    """Find a currency by its code. Raises RemoteFailure (mapping) where Tryton has none."""
    found = rpc.call(
        "currency.currency", "search_read", [["code", "=", code]], 0, 1, None, ["id"], call=call
    )
    if not found:
        not_mapped(entity, "currency", f"is {code}, which this Tryton does not have")
    return int(found[0]["id"])
