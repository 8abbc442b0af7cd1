"""A whole small world for the tests of sync: real store, real stub CRM, a clock that we turn.

Commands of users are played by `World.edit`, `World.quote` and their like: they commit a local
change and its operation together, as the desk does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import msgspec

from quotey.adapters.stub import PROVIDER, StubCrmAdapter, StubSettings, StubTools, open_adapter
from quotey.contract.adapter import CrmAdapter
from quotey.contract.dto import Canonical
from quotey.contract.fields import Entity
from quotey.contract.identity import local_id, payload_digest, quote_key
from quotey.contract.journal import (
    AuditEvent,
    Lock,
    MirrorRecord,
    Operation,
    OpKind,
    SyncDirection,
    SyncState,
)
from quotey.contract.mapping import Mapping
from quotey.contract.mapping_file import parse_mapping
from quotey.contract.quote import Quote, QuoteStatus, QuoteVersion
from quotey.contract.reconciliation import ConflictType, ItemState, Reconciliation
from quotey.contract.sweep import Sweep
from quotey.store import Store, open_store
from quotey.sync import engine
from quotey.sync.ports import Ports, Run, SyncLimits
from quotey.sync.report import SyncReport
from quotey.testing.clock import VirtualClock

START = datetime(2026, 2, 1, 8, 0, tzinfo=UTC)

ACCOUNTS = """id,name,website,segment
A-1,Alder,https://alder.example/,SMB
A-2,Birch,birch.example,Mid-Market
A-3,Cedar,cedar.example,Enterprise
"""
CONTACTS = """id,first_name,last_name,email,account_id
C-1,Ada,Ash,ada@alder.example,A-1
C-2,Ben,Beech,ben@birch.example,A-2
"""
DEALS = """id,name,account_id,stage,amount,close_date,currency
D-1,One,A-1,prospecting,100.00,2026-05-01,EUR
D-2,Two,A-2,qualification,200.00,2026-06-01,EUR
D-3,Three,A-3,won,300.00,2026-07-01,EUR
"""
SPEC = """as_of = 2026-01-15T09:00:00Z
default_currency = "EUR"

[account]
file = "accounts.csv"
key = "id"

[contact]
file = "contacts.csv"
key = "id"

[contact.references]
account_id = { entity = "account" }

[deal]
file = "deals.csv"
key = "id"

[deal.references]
account_id = { entity = "account" }
"""


def write_dataset(folder: Path, *, accounts: str, deals: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "dataset.toml").write_text(SPEC, encoding="utf-8")
    (folder / "accounts.csv").write_text(accounts, encoding="utf-8")
    (folder / "contacts.csv").write_text(CONTACTS, encoding="utf-8")
    (folder / "deals.csv").write_text(deals, encoding="utf-8")
    return folder


def _bytes() -> Iterator[int]:
    while True:
        yield from range(256)


_STREAM = _bytes()


def fixed_entropy(count: int) -> bytes:
    return bytes(next(_STREAM) for _ in range(count))


@dataclass
class World:
    """One home folder with its store and its stub; `restart` is a new process on the same files."""

    home: Path
    settings: StubSettings
    mapping: Mapping
    clock: VirtualClock = field(default_factory=lambda: VirtualClock(START))
    limits: SyncLimits = field(default_factory=SyncLimits)
    store_kind: type[Store] = Store
    _ids: int = 0

    def __post_init__(self) -> None:
        self.open()

    def open(self) -> None:
        self.store = open_store(self.home / "quotey.db", role="sync", kind=self.store_kind)
        self.desk = open_store(self.home / "quotey.db", role="desk", kind=self.store_kind)
        self.stub: StubCrmAdapter = open_adapter(
            self.settings, self.mapping, "main", home=self.home, sleep=self.clock.sleep
        )
        self.adapter: CrmAdapter = self.stub
        assert PROVIDER.tools is not None
        self.crm: StubTools = PROVIDER.tools(self.settings, self.mapping, "main", home=self.home)

    def close(self) -> None:
        self.store.close()
        self.desk.close()
        self.stub.close()
        self.crm.close()

    def restart(self) -> None:
        self.close()
        self.open()

    # --- what sync is given -------------------------------------------------------------------

    def next_id(self, prefix: str) -> str:
        self._ids += 1
        return f"{prefix}_{self._ids:06d}"

    @property
    def ports(self) -> Ports:
        return Ports(
            store=self.store,
            adapter=self.adapter,
            mapping=self.mapping,
            clock=self.clock,
            ids=self.next_id,
            jitter=lambda: 0.5,
            limits=self.limits,
        )

    def run(self) -> Run:
        return engine.begin(self.ports)

    def sync(
        self,
        *,
        entities: tuple[Entity, ...] = (Entity.ACCOUNT, Entity.CONTACT, Entity.DEAL),
        accept_mass_change: bool = False,
        sweep: bool = False,
    ) -> SyncReport:
        return engine.run(
            self.ports,
            entities=entities,
            accept_mass_change=accept_mass_change,
            sweep_now=sweep,
        )

    def swept(self, entity: Entity = Entity.DEAL) -> Sweep:
        found = self.store.sweeps.get("main", entity)
        assert found is not None
        return found

    def turn(self, **span: float) -> None:
        """Let time pass."""
        self.clock.advance(timedelta(**span))

    def settle_down(self, times: int = 20) -> None:
        """Sync until nothing waits any more, turning the clock between."""
        last = self.sync()
        for _ in range(times):
            if not last.waiting and not last.failures:
                return
            self.turn(minutes=10)
            last = self.sync()
        raise AssertionError(f"it does not come to rest: {last}")

    # --- commands of users --------------------------------------------------------------------

    def edit(self, entity: Entity, ref: str, **values: str | None) -> Operation:
        """Change fields here and queue them, in one transaction."""
        record = self.record(entity, ref)
        now = self.clock.now()
        changed = msgspec.structs.replace(
            record,
            local=record.local | values,
            local_version=record.local_version + 1,
            local_ts=record.local_ts | dict.fromkeys(values, now),
        )
        kind = OpKind.UPDATE_DEAL if entity is Entity.DEAL else OpKind.UPDATE_ACCOUNT
        op = self.operation(kind, entity, record.id, changed.local_version, dict(values))
        with self.desk.transaction():
            self.desk.records.put_many([changed])
            self.desk.outbox.add(op)
        return op

    def operation(
        self,
        kind: OpKind,
        entity: Entity,
        id_: str,
        version: int,
        payload: Canonical,
        *,
        lane: str = "",
        replaces: str | None = None,
    ) -> Operation:
        now, own = self.clock.now(), self.store.instance_id
        is_quote = kind is OpKind.WRITE_QUOTE
        return Operation(
            id=self.next_id("op"),
            connection="main",
            lane=lane or f"{entity}/{id_}",
            kind=kind,
            entity=entity,
            entity_id=id_,
            version=version,
            key=quote_key(own, id_, version) if is_quote else f"{own}/{kind}/{id_}/{version}",
            payload=payload,
            digest=payload_digest(payload),
            created_at=now,
            due_at=now,
            replaces=replaces,
            actor="tess",
            correlation_id=self.next_id("c"),
        )

    def new_deal(self, account_ref: str, name: str = "New") -> tuple[str, Operation]:
        """Make a deal here that the CRM does not have yet."""
        id_ = self.next_id("deal")
        payload: Canonical = {
            "account_id": local_id("main", Entity.ACCOUNT, account_ref),
            "name": name,
            "stage": "prospecting",
            "amount": "50",
            "currency": "EUR",
        }
        record = MirrorRecord(
            connection="main", entity=Entity.DEAL, id=id_, crm_ref=None, local=payload, base={}
        )
        op = self.operation(OpKind.CREATE_DEAL, Entity.DEAL, id_, 1, payload)
        with self.desk.transaction():
            self.desk.records.put_many([record])
            self.desk.outbox.add(op)
        return id_, op

    def quote(
        self, deal_id: str, total: str = "90", *, quote_id: str = "", replaces: str | None = None
    ) -> Operation:
        """Make a quote of a deal, or its next version, and queue the writeback."""
        known = self.desk.quotes.get(quote_id) if quote_id else None
        number = known.current.version + 1 if known else 1
        id_ = quote_id or self.next_id("q")
        version = QuoteVersion(
            quote_id=id_,
            version=number,
            status=QuoteStatus.SENT,
            total=Decimal(total),
            currency="EUR",
            created_at=self.clock.now(),
            actor="tess",
        )
        op = self._writeback(deal_id, version, replaces)
        with self.desk.transaction():
            if known:
                self.desk.quotes.add_version(version)
            else:
                self.desk.quotes.add(
                    Quote(
                        id=id_,
                        deal_id=deal_id,
                        connection="main",
                        published=self.desk.quotes.published(deal_id) is None,
                        created_at=self.clock.now(),
                        current=version,
                    )
                )
            self.desk.outbox.add(op)
        return op

    def _writeback(self, deal_id: str, version: QuoteVersion, replaces: str | None) -> Operation:
        payload: Canonical = {
            "id": version.quote_id,
            "version": str(version.version),
            "status": str(version.status),
            "total": str(version.total),
            "currency": version.currency,
            "valid_until": None,
            "attachment_ref": None,
            "attachment_sha256": "",
            "attachment_bytes": "0",
            "deal_id": deal_id,
        }
        return self.operation(
            OpKind.WRITE_QUOTE,
            Entity.QUOTE,
            version.quote_id,
            version.version,
            payload,
            lane=f"deal/{deal_id}",
            replaces=replaces,
        )

    def lock(self, ref: str, name: str, hours: float = 48) -> Lock:
        now = self.clock.now()
        lock = Lock(
            entity=Entity.DEAL,
            entity_id=self.deal(ref).id,
            field=name,
            actor="tess",
            reason="in talks",
            since=now,
            until=now + timedelta(hours=hours),
        )
        with self.desk.transaction():
            self.desk.locks.put(lock)
        return lock

    # --- what can be seen ---------------------------------------------------------------------

    def record(self, entity: Entity, ref: str) -> MirrorRecord:
        return self.store.records.by_refs("main", entity, (ref,))[ref]

    def deal(self, ref: str) -> MirrorRecord:
        return self.record(Entity.DEAL, ref)

    def state(self, entity: Entity = Entity.DEAL) -> SyncState:
        outbound = entity is Entity.QUOTE
        direction = SyncDirection.OUTBOUND if outbound else SyncDirection.INBOUND
        return self.store.sync_state.get("main", entity, direction)

    def op(self, op: Operation) -> Operation:
        found = self.store.outbox.get(op.id)
        assert found is not None
        return found

    def items(
        self, conflict_type: ConflictType | None = None, *, state: ItemState = ItemState.OPEN
    ) -> tuple[Reconciliation, ...]:
        return self.store.items.list(states=(state,), conflict_type=conflict_type)

    def events(self, kind: str) -> tuple[AuditEvent, ...]:
        return self.store.audit.list(kind=kind, limit=1000)

    def remote(self, entity: str, ref: str) -> dict[str, object]:
        return dict(self.crm.show(entity, ref).payload)

    def effects(self, operation: str) -> int:
        """Count what the CRM itself saw happen."""
        return sum(effect.operation == operation for effect in self.crm.log())


def make_world(
    tmp_path: Path,
    *,
    limits: SyncLimits | None = None,
    page_size: int = 2,
    accounts: str = ACCOUNTS,
    deals: str = DEALS,
    tier: int = 1,
    lag_seconds: int = 0,
) -> World:
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    dataset = write_dataset(tmp_path / "data", accounts=accounts, deals=deals)
    settings = StubSettings(
        dataset=dataset, page_size=page_size, tier=tier, lag_seconds=lag_seconds
    )
    mapping = parse_mapping(PROVIDER.shipped_mapping(settings), name="stub.toml")
    return World(
        home=home,
        settings=settings,
        mapping=mapping,
        limits=limits or SyncLimits(),
    )


Fields = dict[str, dict[str, str | None]]


def fields_of(event: AuditEvent, name: str = "fields") -> Fields:
    """Give what an audit event tells field by field."""
    return msgspec.convert(event.body[name], Fields)
