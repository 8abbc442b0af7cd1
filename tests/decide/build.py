"""Builders and Hypothesis strategies for the facts of `quotey.decide`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
from hypothesis import strategies as st
from msgspec import UNSET

from quotey.contract.dto import Canonical, RemoteRecord
from quotey.contract.fields import Direction, Entity, FieldType, Need, Policy, Strategy
from quotey.contract.journal import Lock, MirrorRecord, Operation, OpKind
from quotey.contract.mapping import EntityMapping, FieldMapping, OnBlank
from quotey.contract.reconciliation import ConflictKey, ConflictType, Reconciliation
from quotey.decide.plan import RecordFacts
from quotey.decide.verdict import FieldFacts, Side

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def field(
    name: str = "stage",
    policy: Policy = Policy.CRM_WINS,
    direction: Direction = Direction.INBOUND,
    *,
    strategy: Strategy | None = None,
    type_: FieldType = FieldType.TEXT,
    on_blank: OnBlank = OnBlank.NULL,
) -> FieldMapping:
    return FieldMapping(
        name=name,
        path=f"properties.{name}",
        type=type_,
        need=Need.RECOMMENDED,
        direction=direction,
        policy=policy,
        strategy=strategy,
        on_blank=on_blank,
    )


AN_HOUR_ON = later(3600)


def lock(name: str = "stage", *, until: datetime = AN_HOUR_ON) -> Lock:
    return Lock(
        entity=Entity.DEAL,
        entity_id="deal_1",
        field=name,
        actor="ana",
        reason="quarter end",
        since=later(-60),
        until=until,
    )


def facts(
    base: Side = UNSET,
    local: Side = UNSET,
    remote: Side = UNSET,
    *,
    of: FieldMapping | None = None,
    **more: object,
) -> FieldFacts:
    made = FieldFacts(
        entity=Entity.DEAL, field=of or field(), base=base, local=local, remote=remote
    )
    return msgspec.structs.replace(made, **more)


STAGE = field("stage")
AMOUNT = field(
    "amount",
    Policy.MERGE_WITH_AUDIT,
    Direction.BOTH,
    strategy=Strategy.NEWEST,
    type_=FieldType.MONEY,
)
NAME = field("name", Policy.LOCAL_WINS, Direction.BOTH)
REF = field("x_ref", Policy.IMMUTABLE_AFTER_BIND)
ACCOUNT = field("account_id", type_=FieldType.REF)
DEAL = EntityMapping(
    entity=Entity.DEAL, object="deals", fields=(ACCOUNT, NAME, STAGE, AMOUNT, REF), fingerprint="f"
)


def remote(
    *,
    ts: datetime = NOW,
    version: str = "7",
    deleted: bool = False,
    merged_into: str | None = None,
) -> RemoteRecord:
    return RemoteRecord(
        crm_ref="512",
        source_ts=ts,
        source_version=version,
        payload=b"{}",
        deleted=deleted,
        merged_into=merged_into,
    )


def mirror(values: Canonical | None = None, **more: object) -> MirrorRecord:
    """A mirror whose base and local are `values`, unless `more` says otherwise."""
    made = MirrorRecord(
        connection="main",
        entity=Entity.DEAL,
        id="deal_1",
        crm_ref="512",
        local=dict(values or {}),
        base=dict(values or {}),
        local_version=3,
        source_ts=later(-3600),
        source_version="6",
        content_hash="old",
    )
    return msgspec.structs.replace(made, **more)


def record_facts(
    values: Canonical, *, known: MirrorRecord | None = None, **more: object
) -> RecordFacts:
    made = RecordFacts(
        id="deal_1",
        connection="main",
        mapping=DEAL,
        values=values,
        record=remote(),
        content_hash="new",
        now=NOW,
        mirror=known,
    )
    return msgspec.structs.replace(made, **more)


def operation(**more: object) -> Operation:
    made = Operation(
        seq=1,
        id="op_1",
        connection="main",
        lane="deal/deal_1",
        kind=OpKind.WRITE_QUOTE,
        entity=Entity.QUOTE,
        entity_id="q_1",
        version=1,
        key="k",
        payload={"version": "1"},
        digest="d",
        created_at=NOW,
        due_at=NOW,
    )
    return msgspec.structs.replace(made, **more)


def item(conflict_type: ConflictType, **more: object) -> Reconciliation:
    made = Reconciliation(
        id="r_81",
        connection="main",
        entity_type=Entity.DEAL,
        entity_id="deal_1",
        field_name="stage",
        conflict_type=conflict_type,
        local_value="open",
        remote_value="won",
        field_policy_mode=Policy.CRM_WINS,
        first_seen_ts=NOW,
        last_attempt_ts=NOW,
        correlation_id="c_1",
        key=ConflictKey(
            entity_id="deal_1",
            field_name="stage",
            local_version="3",
            remote_version_or_timestamp="7",
        ),
    )
    return msgspec.structs.replace(made, **more)


# --- Hypothesis ----------------------------------------------------------------------------------

WORDS = ("", " ", "a", "b", "a;b", "c;a", "1", "2.5", "10")
values: st.SearchStrategy[str | None] = st.one_of(st.none(), st.sampled_from(WORDS))
sides: st.SearchStrategy[Side] = st.one_of(st.just(UNSET), values)
times = st.one_of(st.none(), st.integers(-5, 5).map(later))

fields: st.SearchStrategy[FieldMapping] = st.builds(
    lambda policy, direction, strategy, type_, on_blank: field(
        policy=policy, direction=direction, strategy=strategy, type_=type_, on_blank=on_blank
    ),
    st.sampled_from(Policy),
    st.sampled_from(Direction),
    st.one_of(st.none(), st.sampled_from(Strategy)),
    st.sampled_from(FieldType),
    st.sampled_from(OnBlank),
)

field_facts: st.SearchStrategy[FieldFacts] = st.builds(
    FieldFacts,
    entity=st.just(Entity.DEAL),
    field=fields,
    base=sides,
    local=sides,
    remote=sides,
    lock=st.one_of(st.none(), st.just(lock())),
    in_flight=st.lists(values, max_size=2).map(tuple),
    local_ts=times,
    remote_ts=times,
    tolerance_seconds=st.integers(0, 3),
    source_priority=st.sampled_from((("crm", "local"), ("local", "crm"), ("local",), ())),
    bound=st.booleans(),
    other_currency=st.booleans(),
)


@st.composite
def entity_mappings(draw: st.DrawFn) -> EntityMapping:
    names = ("account_id", "name", "stage", "amount", "x_ref")
    drawn = [msgspec.structs.replace(draw(fields), name=name) for name in names]
    return EntityMapping(entity=Entity.DEAL, object="deals", fields=tuple(drawn), fingerprint="f")


NAMES = st.sampled_from(("account_id", "name", "stage", "amount", "x_ref"))
documents: st.SearchStrategy[Canonical] = st.dictionaries(NAMES, values, max_size=5)


@st.composite
def any_record_facts(draw: st.DrawFn) -> RecordFacts:
    """Any record against any mirror; what is held back is, as it must be, a field of the record."""
    known = None
    if draw(st.booleans()):
        known = mirror(
            local=draw(documents),
            base=draw(documents),
            remote=draw(documents),
            crm_ref=draw(st.sampled_from((None, "512"))),
            content_hash=draw(st.sampled_from(("", "old", "new"))),
            source_version=draw(st.sampled_from(("", "6", "7", "8", "x"))),
            local_ts=draw(st.dictionaries(NAMES, st.integers(-5, 5).map(later), max_size=3)),
        )
    return record_facts(
        draw(documents),
        known=known,
        mapping=draw(entity_mappings()),
        record=remote(
            ts=draw(st.integers(-5, 5).map(later)), version=draw(st.sampled_from(("", "7", "x")))
        ),
        locks=draw(st.dictionaries(NAMES, st.just(lock()), max_size=2)),
        in_flight=draw(st.dictionaries(NAMES, st.lists(values, max_size=2).map(tuple))),
        parent_known=draw(st.booleans()),
    )
