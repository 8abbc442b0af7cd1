"""A desk on a real store, with a clock that only a test turns and ids that count."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import apsw
import msgspec

from quotey.contract.dto import QuoteMarker
from quotey.contract.fields import Entity, Policy
from quotey.contract.identity import canonical_json
from quotey.contract.journal import Hold, MirrorRecord, Operation, OpState
from quotey.contract.mapping import Mapping
from quotey.contract.mapping_file import parse_mapping
from quotey.contract.quote import Quote
from quotey.contract.reconciliation import ConflictKey, ConflictType, Reconciliation
from quotey.desk import quotes
from quotey.desk.ports import DeskPorts
from quotey.desk.quotes import QuoteAnswer, QuoteTerms
from quotey.store import Store, open_store

NOW = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)

FIELD = """
[{entity}.fields.{name}]
path = "{entity}_{name}"
direction = "{direction}"
policy = "{policy}"
{more}
"""


def _field(entity: str, name: str, direction: str, policy: str, more: str = "") -> str:
    return FIELD.format(entity=entity, name=name, direction=direction, policy=policy, more=more)


_NEWEST = 'strategy = "newest"'
_SENT = "sent_on_create = true"

MAPPING = "\n".join(
    (
        'provider = "stub"\n[account]\nobject = "accounts"',
        _field("account", "id", "inbound", "immutable_after_bind"),
        _field("account", "name", "inbound", "crm_wins"),
        _field("account", "domain", "inbound", "crm_wins"),
        _field("account", "segment", "both", "merge_with_audit", _NEWEST),
        '[contact]\nobject = "contacts"',
        _field("contact", "id", "inbound", "immutable_after_bind"),
        _field("contact", "name", "inbound", "crm_wins"),
        _field("contact", "email", "inbound", "crm_wins"),
        _field("contact", "account_id", "inbound", "crm_wins"),
        '[deal]\nobject = "deals"',
        _field("deal", "id", "inbound", "immutable_after_bind"),
        _field("deal", "account_id", "inbound", "crm_wins", _SENT),
        _field("deal", "name", "both", "merge_with_audit", _NEWEST),
        _field("deal", "stage", "inbound", "crm_wins", _SENT),
        _field("deal", "amount", "both", "merge_with_audit", _NEWEST),
        _field("deal", "close_date", "inbound", "crm_wins", _SENT),
        _field("deal", "currency", "inbound", "crm_wins", _SENT),
        _field("deal", "x_region", "both", "local_wins", 'type = "text"'),
        '[quote]\nobject = "deals"\ntarget = "deal_properties"',
        *(
            _field("quote", name, "outbound", policy)
            for name, policy in (
                ("id", "immutable_after_bind"),
                ("version", "local_wins"),
                ("status", "local_wins"),
                ("total", "local_wins"),
                ("currency", "local_wins"),
            )
        ),
    )
)


@dataclass
class DeskWorld:
    """The desk, and what a test does behind its back: turn the clock, play the sync."""

    path: Path
    home: Path
    store: Store
    mapping: Mapping
    at: datetime = NOW
    actor: str = "ann"
    _ids: Counter[str] = field(default_factory=Counter)

    @property
    def desk(self) -> DeskPorts:
        return DeskPorts(
            store=self.store,
            mapping_of=lambda _connection: self.mapping,
            now=lambda: self.at,
            ids=self.fresh,
            actor=self.actor,
            correlation_id="c_test",
            mode="stub",
            attachments=self.home / "attachments",
            home=self.home,
        )

    def fresh(self, prefix: str) -> str:
        self._ids[prefix] += 1
        first = 100 if prefix == "deal" else 0  # the deals that a test mirrors have low numbers
        return f"{prefix}_{first + self._ids[prefix]}"

    def turn(self, **span: float) -> None:
        self.at += timedelta(**span)

    def as_(self, actor: str) -> DeskPorts:
        return replace(self.desk, actor=actor)

    # --- records ------------------------------------------------------------------------------

    def account(self, number: int = 1, **changes: object) -> MirrorRecord:
        values: dict[str, str | None] = {"name": f"Acme {number}", "segment": "smb"}
        return self.mirror(Entity.ACCOUNT, f"acc_{number}", f"A-{number}", values, changes)

    def deal(self, number: int = 1, **changes: object) -> MirrorRecord:
        values: dict[str, str | None] = {
            "account_id": "acc_1",
            "name": f"Deal {number}",
            "stage": "open",
            "amount": "100",
            "currency": "EUR",
        }
        return self.mirror(Entity.DEAL, f"deal_{number}", f"D-{number}", values, changes)

    def mirror(
        self,
        entity: Entity,
        id_: str,
        ref: str,
        values: dict[str, str | None],
        changes: dict[str, object],
    ) -> MirrorRecord:
        record = MirrorRecord(
            connection="main",
            entity=entity,
            id=id_,
            crm_ref=ref,
            local=values,
            base=dict(values),
            source_ts=self.at,
            source_version="1",
            content_hash="h",
        )
        record = msgspec.structs.replace(record, **changes)
        with self.store.transaction():
            self.store.records.put_many([record])
        return record

    def reload(self, record: MirrorRecord) -> MirrorRecord:
        found = self.store.records.get(record.entity, record.id)
        assert found is not None
        return found

    # --- what sync would have left --------------------------------------------------------------

    def item(self, entity: Entity, entity_id: str, **changes: object) -> Reconciliation:
        draft = Reconciliation(
            id=self.fresh("r"),
            connection="main",
            entity_type=entity,
            entity_id=entity_id,
            field_name="stage",
            conflict_type=ConflictType.LOCKED_FIELD_OVERWRITE,
            local_value="open",
            remote_value="won",
            field_policy_mode=Policy.CRM_WINS,
            first_seen_ts=self.at,
            last_attempt_ts=self.at,
            correlation_id="c_sync",
            key=ConflictKey(
                entity_id=entity_id,
                field_name="stage",
                local_version="1",
                remote_version_or_timestamp=str(self._ids["r"]),
            ),
            base_value="open",
            detail="deal.stage is locked and the CRM changed it",
        )
        with self.store.transaction():
            item, _ = self.store.items.record(msgspec.structs.replace(draft, **changes))
        return item

    def clash(
        self, record: MirrorRecord, name: str, remote: str | None, **changes: object
    ) -> Reconciliation:
        """Leave an undecided field as inbound does: held in the mirror, asked in an item."""
        held = msgspec.structs.replace(record, remote=record.remote | {name: remote})
        with self.store.transaction():
            self.store.records.put_many([held])
        facts: dict[str, object] = {
            "field_name": name,
            "conflict_type": ConflictType.UNDECIDED_MERGE,
            "local_value": record.local.get(name),
            "remote_value": remote,
            "base_value": record.base.get(name),
            "field_policy_mode": Policy.MERGE_WITH_AUDIT,
            "detail": f"{record.entity}.{name} changed on both sides",
        }
        return self.item(record.entity, record.id, **(facts | changes))

    def stale(self, quote: Quote, op: Operation, found: QuoteMarker, detail: str) -> Reconciliation:
        """Leave a stale write as the drain does: the operation in conflict, the marker kept."""
        self.settle(op, OpState.CONFLICT)
        return self.item(
            Entity.QUOTE,
            quote.id,
            field_name="version",
            conflict_type=ConflictType.STALE_OUTBOUND_WRITE,
            local_value=str(op.version),
            remote_value=canonical_json(found).decode(),
            base_value=None,
            field_policy_mode=None,
            detail=detail,
            operation_id=op.id,
        )

    def settle(self, op: Operation, state: OpState, *, sent: bool = True) -> None:
        """Let the next claim of this operation's lane end so."""
        with self.store.transaction():
            claimed = self.store.outbox.claim("main", self.at, self.at + timedelta(seconds=40))
            assert [one.id for one in claimed] == [op.id]
            token = claimed[0].lease_token
            if sent:
                assert self.store.outbox.mark_sent(op.id, token, self.at)
            hold = Hold.OPERATOR if state is OpState.HELD else None
            assert self.store.outbox.settle(op.id, token, state=state, at=self.at, hold=hold)

    def deliver(self, operation_id: str | None) -> None:
        op = self.op(operation_id)
        self.settle(op, OpState.DELIVERED)

    # --- what a test looks at -------------------------------------------------------------------

    def op(self, operation_id: str | None) -> Operation:
        found = self.store.outbox.get(operation_id or "")
        assert found is not None
        return found

    def marker(self, quote_id: str, version: int, instance: str | None = None) -> QuoteMarker:
        return QuoteMarker(
            instance_id=instance or self.store.instance_id,
            quote_id=quote_id,
            version=version,
            payload_digest="d" * 64,
        )

    def quoted(self, deal: MirrorRecord, total: str = "100") -> QuoteAnswer:
        return quotes.create(self.desk, deal.id, QuoteTerms(total=Decimal(total)))

    def kinds(self) -> list[str]:
        """Audit kinds, oldest first."""
        return [event.kind for event in reversed(self.store.audit.list(limit=1000))]

    def dump(self) -> dict[str, list[tuple[object, ...]]]:
        """Every row of every table, so that "nothing was changed" can be checked."""
        connection = apsw.Connection(str(self.path), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            names = [
                row[0]
                for row in connection.execute(
                    "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"
                )
            ]
            return {str(name): sorted(_rows(connection, str(name)), key=repr) for name in names}
        finally:
            connection.close()


def _rows(connection: apsw.Connection, table: str) -> apsw.Cursor:
    return connection.execute(f'SELECT * FROM "{table}"')  # noqa: S608 - names from the schema


def open_world(folder: Path, *, kind: type[Store] = Store) -> DeskWorld:
    home = folder / "home"
    path = home / "quotey.db"
    store = open_store(path, role="desk", busy_timeout=0.1, kind=kind)
    (home / "attachments").mkdir()
    return DeskWorld(
        path=path, home=home, store=store, mapping=parse_mapping(MAPPING, name="test.toml")
    )
