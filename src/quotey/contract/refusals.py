"""What every adapter makes of what the mapping refuses, and of a cursor that is not its own.

For authors of adapters: each is raised before, or instead of, a remote effect.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from quotey.contract.adapter import INVALID_CURSOR
from quotey.contract.dto import RemoteRecord
from quotey.contract.errors import (
    Diagnostic,
    ErrorClass,
    MappingError,
    Outcome,
    RemoteFailure,
    Severity,
)
from quotey.contract.fields import Entity
from quotey.contract.mapper import Mapped, Mapper


@contextlib.contextmanager
def refusing(what: str) -> Iterator[None]:
    """Turn what the mapping refuses into a failure; nothing was sent then (seed 3.3)."""
    try:
        yield
    except MappingError as error:
        raise RemoteFailure(
            f"{what}: {error.message}",
            error_class=ErrorClass.MAPPING,
            diagnostics=error.diagnostics,
        ) from error


def mapped(mapper: Mapper, entity: Entity, record: RemoteRecord, outcome: Outcome) -> Mapped:
    """Map a record, or raise what its breaking of the contract means.

    `outcome` is what is known of a write before: a read after one does not take it back.
    """
    found = mapper.read(entity, record)
    if isinstance(found, Mapped):
        return found
    told = "; ".join(problem.message.rstrip(".") for problem in found.problems)
    raise RemoteFailure(
        f"{entity} {record.crm_ref} breaks the contract: {told}.",
        error_class=ErrorClass.MAPPING,
        outcome=outcome,
        diagnostics=found.problems,
    )


def foreign_cursor() -> RemoteFailure:
    """Build the failure of a cursor that this provider did not make; it is read anew then."""
    message = "The cursor is not one of this provider. Nothing was read."
    told = Diagnostic(code=INVALID_CURSOR, severity=Severity.ERROR, message=message)
    return RemoteFailure(message, error_class=ErrorClass.PERMANENT, diagnostics=(told,))
