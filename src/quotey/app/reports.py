"""The values that façade methods give back and that live in rooms which surfaces may not enter.

Names only; nothing is computed here.
"""

from __future__ import annotations

from quotey.desk.explain import (
    Explanation,
    FieldStory,
    KeptOut,
    QuoteExplanation,
)
from quotey.desk.outbox import OperationAnswer, OperationView
from quotey.desk.reconcile import ApplyReport, UndoAnswer
from quotey.desk.reconcile_views import ItemFilter, ItemList, ItemView
from quotey.desk.record_writes import RecordAnswer
from quotey.desk.records import RecordView
from quotey.desk.status import AccountStatus, EntityStatus, OutboxStatus, Status
from quotey.desk.stuck import Stuck
from quotey.store import ChainReport, ItemGroup
from quotey.sync.ports import Progress
from quotey.sync.report import (
    EntityReport,
    Failure,
    PlannedField,
    PlannedOperation,
    PlannedRecord,
    SyncPlan,
    SyncReport,
)

__all__ = [
    "AccountStatus",
    "ApplyReport",
    "ChainReport",
    "EntityReport",
    "EntityStatus",
    "Explanation",
    "Failure",
    "FieldStory",
    "ItemFilter",
    "ItemGroup",
    "ItemList",
    "ItemView",
    "KeptOut",
    "OperationAnswer",
    "OperationView",
    "OutboxStatus",
    "PlannedField",
    "PlannedOperation",
    "PlannedRecord",
    "Progress",
    "QuoteExplanation",
    "RecordAnswer",
    "RecordView",
    "Status",
    "Stuck",
    "SyncPlan",
    "SyncReport",
    "UndoAnswer",
]
