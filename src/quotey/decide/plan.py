"""What an inbound plan is, as values: facts in, plan out. The rules are in `inbound` and `gone`.

A plan can be printed (that is `--dry-run`), counted, refused or carried out.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from quotey.contract.dto import Canonical, RemoteRecord
from quotey.contract.errors import Diagnostic
from quotey.contract.fields import Entity, Policy
from quotey.contract.journal import Lock, MirrorRecord
from quotey.contract.mapping import EntityMapping
from quotey.contract.reconciliation import ConflictKey, ConflictType
from quotey.decide.sentence import sentence
from quotey.decide.verdict import FieldFacts, Side, Verdict

PlanKind = Literal[
    "create", "update", "conflict", "unchanged", "stale", "gone", "reject", "quarantine"
]
"""What becomes of a record. `conflict`: a person is asked and no value here changes; `reject`: the
mapping could not read it; `quarantine`: it was read and may not come in yet."""

Resolved = tuple[str, ConflictType, str]
"""Field ("*" = any field of the record), conflict type, and the sentence why it is settled."""


class RecordFacts(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of one record of a page that the mapping could read.

    `id` is ours (from the binding, or derived for a new record). `values` are canonical, with
    `account_id` already turned into our id; when the parent is not known here, `parent_known` is
    False and `values["account_id"]` is still their ref. `locks` and `in_flight` are by field.
    `may_have_items` may be False when the record surely has no open item and stood in no
    quarantine: then nothing is offered to be closed.
    """

    id: str
    connection: str
    mapping: EntityMapping
    values: Canonical
    record: RemoteRecord
    content_hash: str
    now: datetime
    mirror: MirrorRecord | None = None
    locks: dict[str, Lock] = msgspec.field(default_factory=dict)
    in_flight: dict[str, tuple[str | None, ...]] = msgspec.field(default_factory=dict)
    extras: dict[str, object] = msgspec.field(default_factory=dict)
    diagnostics: tuple[Diagnostic, ...] = ()
    tolerance_seconds: int = 1
    source_priority: tuple[str, ...] = ("crm", "local")
    parent_known: bool = True
    may_have_items: bool = True


class FieldDecision(msgspec.Struct, frozen=True, kw_only=True):
    """What was decided of one field that changed, and on which facts."""

    facts: FieldFacts
    verdict: Verdict

    @property
    def field(self) -> str:
        """The field's name."""
        return self.facts.field.name

    @property
    def sentence(self) -> str:
        """The rule as an English sentence."""
        return sentence(self.verdict, self.facts)

    @property
    def base(self) -> Side:
        """What the CRM said before."""
        return self.facts.base

    @property
    def local(self) -> Side:
        """What we held."""
        return self.facts.local

    @property
    def remote(self) -> Side:
        """What the CRM says now."""
        return self.facts.remote


class ItemDraft(msgspec.Struct, frozen=True, kw_only=True):
    """A reconciliation before the shell gives it id, times and correlation id (seed 7.1)."""

    entity_type: Entity
    entity_id: str
    field_name: str
    conflict_type: ConflictType
    local_value: str | None
    remote_value: str | None
    key: ConflictKey
    detail: str
    base_value: str | None = None
    field_policy_mode: Policy | None = None
    operation_id: str | None = None


class RecordPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What one inbound record changes. Carrying it out twice is carrying it out once.

    `record` is what to store, None when nothing is to be stored. `decisions` are of the fields that
    changed; a create has none (`first_sight` gives them to whoever shows a plan). `items` are
    recorded as occurrences (a known key counts once); `resolved` closes open items. `reassert`
    names fields whose local value is to be sent. `audit` holds kind and body of the events to
    append. An "unchanged" plan may be skipped whole.
    """

    kind: PlanKind
    record: MirrorRecord | None = None
    decisions: tuple[FieldDecision, ...] = ()
    items: tuple[ItemDraft, ...] = ()
    resolved: tuple[Resolved, ...] = ()
    reassert: tuple[str, ...] = ()
    audit: tuple[tuple[str, dict[str, object]], ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
