"""Everything that a local command is given, in one value; no adapter is among it.

A user's command never waits for the CRM, so there is nothing here that could make it wait.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from quotey.contract.errors import ConfigError, Diagnostic, MappingError, Severity
from quotey.contract.journal import AuditEvent
from quotey.contract.mapping import Mapping
from quotey.contract.plain_mapping import plain_mapping
from quotey.store.store import Store


@dataclass(frozen=True, kw_only=True)
class DeskPorts:
    """What a command is given.

    `store` is opened in the role "desk". `mapping_of` gives a connection's parsed mapping; it
    raises what parsing raises. `ids` makes a fresh id from a prefix. `mode` is "stub" or "live".
    `attachments` is the folder that no attachment reference can leave. `connections` are the names
    in the configuration, in its order. `shipped_mapping_of` gives the mapping without the user's
    own changes, for when those are broken.
    """

    store: Store
    mapping_of: Callable[[str], Mapping]
    now: Callable[[], datetime]
    ids: Callable[[str], str]
    actor: str
    correlation_id: str
    mode: str
    attachments: Path
    home: Path
    connections: Sequence[str] = ("main",)
    shipped_mapping_of: Callable[[str], Mapping] | None = None


def readable_mapping(desk: DeskPorts, connection: str) -> Mapping:
    """Give the connection's mapping; while that is broken, the shipped one or the dictionary.

    For commands that only look, or that change quotes: those go on without the CRM (seed 7.3).
    What goes out is checked against the real mapping when it is sent.
    """
    for read in (desk.mapping_of, desk.shipped_mapping_of):
        if read is not None:
            with suppress(MappingError, ConfigError):
                return read(connection)
    return plain_mapping()


def audit(
    desk: DeskPorts,
    kind: str,
    *,
    connection: str,
    entity: str,
    entity_id: str,
    body: dict[str, object],
) -> None:
    """Append one event of this command to the audit, within the transaction that is open."""
    event = AuditEvent(
        kind=kind,
        at=desk.now(),
        actor=desk.actor,
        correlation_id=desk.correlation_id,
        connection=connection,
        entity=entity,
        entity_id=entity_id,
        mode=desk.mode,
        body=body,
    )
    desk.store.audit.append([event])


def problem(code: str, entity: str, field: str, message: str, fix: str = "") -> Diagnostic:
    """Build the diagnostic of one thing that is wrong with what was asked for."""
    return Diagnostic(
        code=code, severity=Severity.ERROR, entity=entity, field=field, message=message, fix=fix
    )


def told(what: str, problems: Sequence[Diagnostic]) -> str:
    """Say all problems in one sentence after another, and that nothing was changed."""
    said = "; ".join(f"{one.entity}.{one.field}: {one.message}" for one in problems)
    return f"{what}: {said}. Nothing was changed."
