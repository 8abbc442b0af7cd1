"""What each command answers under `--json`: the type of the document's `data`.

A test reads every command's real answer back into its type.
"""

from __future__ import annotations

from types import UnionType
from typing import Any, Union, get_args, get_origin

import msgspec

from quotey.app.certify import Certification
from quotey.app.connecting import Connected
from quotey.app.crm import Watched
from quotey.app.doctor import Examination
from quotey.app.envelope import Envelope
from quotey.app.keep import Backup, DatabaseReport
from quotey.app.listing import Listing
from quotey.app.lookup import Found, RecordList
from quotey.app.mapping import MappingCheck, MappingTable, Trial
from quotey.app.quotes import QuoteAnswer, QuoteDetail
from quotey.app.reconcile import ApplyReport, ItemList, ItemView, UndoAnswer
from quotey.app.record import Recorded
from quotey.app.reports import (
    ChainReport,
    Explanation,
    OperationAnswer,
    OperationView,
    RecordAnswer,
    RecordView,
    Status,
    SyncPlan,
    SyncReport,
)
from quotey.app.simulator import Simulation
from quotey.app.stub import DefinedProperty, Effect, FaultSpec, Played, Reloaded, RemoteState
from quotey.contract.journal import AuditEvent, Lock, Operation
from quotey.contract.quote import Quote
from quotey.contract.reconciliation import Reconciliation
from quotey.desk.erasing import Erasure
from quotey.store import Restored

ANSWERS: dict[str, Any] = {
    "crm status": Status,
    "crm sync": SyncReport,
    "crm plan": SyncPlan,
    "crm watch": Watched,
    "crm explain": Explanation,
    "crm lock": Lock,
    "crm unlock": Lock,
    "crm locks": Listing[Lock],
    "crm audit": Listing[AuditEvent] | ChainReport,
    "crm connect": Connected,
    "crm doctor": Examination,
    "crm simulator": Simulation,
    "crm certify": Certification,
    "crm record": Recorded,
    "crm reconcile list": ItemList,
    "crm reconcile show": ItemView,
    "crm reconcile apply": ApplyReport,
    "crm reconcile defer": Reconciliation,
    "crm reconcile undo": UndoAnswer,
    "crm outbox list": Listing[Operation],
    "crm outbox show": OperationView,
    "crm outbox retry": OperationAnswer,
    "crm outbox discard": OperationAnswer,
    "crm mapping show": MappingTable,
    "crm mapping check": MappingCheck,
    "crm mapping test": Trial,
    "crm lookup account": Found,
    "crm lookup contact": Found,
    "crm lookup deal": Found,
    "crm deal list": RecordList,
    "crm deal show": RecordView,
    "crm deal create": RecordAnswer,
    "crm deal update": RecordAnswer,
    "crm account list": RecordList,
    "crm account show": RecordView,
    "crm account update": RecordAnswer,
    "crm contact show": RecordView,
    "crm contact erase": Erasure,
    "crm stub set": RemoteState,
    "crm stub add": RemoteState,
    "crm stub delete": RemoteState,
    "crm stub merge": RemoteState,
    "crm stub fail": FaultSpec,
    "crm stub define": DefinedProperty,
    "crm stub heal": dict[str, int],
    "crm stub play": Listing[Played],
    "crm stub show": RemoteState | Listing[RemoteState] | Listing[FaultSpec],
    "crm stub log": Listing[Effect],
    "crm stub reset": Reloaded,
    "quote create": QuoteAnswer,
    "quote revise": QuoteAnswer,
    "quote publish": QuoteAnswer,
    "quote status": QuoteAnswer | QuoteDetail,
    "quote attach": QuoteAnswer,
    "quote show": QuoteDetail,
    "quote list": Listing[Quote],
    "db check": DatabaseReport,
    "db backup": Backup,
    "db restore": Restored,
    "db upgrade": DatabaseReport,
}
"""Command to the type of its `data`; several where a flag chooses."""


def choices(answer: Any) -> tuple[Any, ...]:  # noqa: ANN401 - types as values
    """Give the types that an answer may have.

    >>> choices(int | str)
    (<class 'int'>, <class 'str'>)
    """
    return get_args(answer) if get_origin(answer) in (Union, UnionType) else (answer,)


def _anything(kind: type) -> dict[str, object]:
    """Let an object be anything; any other type has a schema of its own."""
    if kind is not object:
        raise NotImplementedError(kind)
    return {"description": "any JSON value"}


def json_schema() -> dict[str, object]:
    """Give one JSON Schema for all documents: the envelope, and each command's `data`."""
    types = [Envelope, *(one for answer in ANSWERS.values() for one in choices(answer))]
    given, defs = msgspec.json.schema_components(
        types, schema_hook=_anything, ref_template="#/$defs/{name}"
    )
    schemas = iter(given)
    envelope = next(schemas)
    data: dict[str, object] = {}
    for command, answer in ANSWERS.items():
        found = [next(schemas) for _ in choices(answer)]
        name = f"quotey.{command.replace(' ', '.')}/1"
        data[name] = found[0] if len(found) == 1 else {"anyOf": found}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What quotey prints under --json",
        "description": "The document is the envelope; `data` by its `schema` is under `answers`.",
        **envelope,
        "answers": data,
        "$defs": dict(sorted(defs.items())),
    }
