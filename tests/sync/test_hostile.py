"""Nothing that a CRM, an adapter or a changed mapping does ends a run with a foreign exception."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import msgspec
import pytest

from quotey.contract.dto import CrmSyncResultDto, ItemFailure, MarkerReading, MarkerState
from quotey.contract.errors import (
    Diagnostic,
    ErrorClass,
    MappingError,
    Outcome,
    RemoteFailure,
    Severity,
)
from quotey.contract.fields import Entity
from quotey.contract.journal import ConnectionState, Hold, Lock, OpState, SyncPhase
from quotey.contract.mapping import Mapping
from quotey.contract.mapping_file import parse_mapping
from quotey.contract.reconciliation import ConflictType
from quotey.sync import door
from quotey.sync.plan import plan
from quotey.sync.report import SyncReport
from tests.sync.bent import OPERATIONS, Op, bend, then
from tests.sync.world import World

WRITES = ("write_quote", "create_deal", "update_deal", "update_account")
FAULTS = (
    "timeout_before",
    "timeout_after",
    "server_error",
    "rate_limited",
    "auth",
    "mapping_error",
    "partial_batch",
    "duplicate_page",
    "out_of_order",
)


def raising(error: Exception) -> Op:
    """Give an operation that raises what no adapter may raise."""

    def fail(*_args: object, **_named: object) -> None:
        raise error

    return fail


def much_to_do(world: World) -> None:
    """Leave one operation of each kind here, and a change over there."""
    world.quote(world.deal("D-1").id)
    world.edit(Entity.DEAL, "D-2", name="Zwei")
    world.edit(Entity.ACCOUNT, "A-3", segment="smb")
    world.new_deal("A-1")
    world.crm.set("deal", "D-3", {"stage": "lost"})


def all_explained(report: SyncReport) -> None:
    """Every failure has class, sentence, correlation id and a next step (G20)."""
    for failure in report.failures:
        assert failure.error_class is not None
        assert failure.warning.endswith((".", ")")), failure.warning
        assert failure.correlation_id == report.correlation_id
        assert failure.next
        assert failure.exit_code


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_any_fault_at_any_request_is_told_and_then_everything_comes_to_rest(
    synced: World, operation: str, fault: str
) -> None:
    much_to_do(synced)
    synced.crm.fail(fault, operation=operation, times=40)
    all_explained(synced.sync())
    assert plan(synced.ports).exit_code in (0, 3, 4, 5, 6)
    synced.crm.heal()
    door.reconnect(synced.run())
    synced.turn(minutes=5)
    synced.settle_down()
    left = synced.store.outbox.counts("main")
    assert left[OpState.HELD] == 0 or fault == "mapping_error"
    assert synced.deal("D-3").local["stage"] == "lost"
    assert synced.effects("write_quote") <= 1


# --- adapters that break their promise ------------------------------------------------------------

FOREIGN: dict[str, Exception] = {
    "bug": KeyError("properties"),
    "os": ConnectionResetError("reset by peer"),
    "text": UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
    "ours": MappingError("A class of ours that may not leave an adapter."),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_read_that_breaks_the_adapters_promise_ends_the_entity_and_not_the_run(
    synced: World, name: str
) -> None:
    op = synced.quote(synced.deal("D-1").id)
    synced.adapter = bend(synced.stub, sync_incremental=raising(FOREIGN[name]))
    report = synced.sync()
    [failure] = report.failures
    assert failure.error_class is ErrorClass.PERMANENT
    assert type(FOREIGN[name]).__name__ in failure.warning
    assert synced.state(Entity.DEAL).phase is SyncPhase.ERROR
    assert synced.op(op).state is OpState.DELIVERED


@pytest.mark.parametrize("operation", WRITES)
@pytest.mark.parametrize("landed", [False, True], ids=["lost", "landed"])
def test_a_write_that_breaks_the_promise_is_looked_for_before_it_is_sent_again(
    synced: World, operation: str, landed: bool
) -> None:
    much_to_do(synced)
    real: Op = getattr(synced.stub, operation)

    def breaks(_answer: object) -> None:
        raise KeyError("properties")

    synced.adapter = bend(
        synced.stub,
        **{operation: then(real, breaks) if landed else raising(KeyError("properties"))},
    )
    report = synced.sync()
    assert (report.outbound.retried, report.outbound.delivered) == (1, 3)
    synced.adapter = synced.stub
    synced.turn(minutes=5)
    synced.settle_down()
    assert synced.effects(operation) == 1


def test_the_names_in_a_foreign_exception_are_told_and_its_words_are_not(synced: World) -> None:
    secret = ValueError("Authorization: Bearer ak_live_1 for ann@example.com")
    synced.adapter = bend(synced.stub, sync_incremental=raising(secret))
    report = synced.sync()
    events = synced.store.audit.list(limit=1000)
    written = msgspec.json.encode((report, events, synced.state())).decode()
    assert "ValueError" in written
    assert "ak_live_1" not in written
    assert "ann@example.com" not in written


# --- what a CRM says of its failures --------------------------------------------------------------

LOUD = (
    "boom\x1b[2J\u202e Authorization: Bearer ak_live_1 "
    "https://u:pw@crm.example "  # pragma: allowlist secret
) + "x" * 5000


def loud(error_class: ErrorClass) -> Op:
    return raising(
        RemoteFailure(
            LOUD,
            error_class=error_class,
            outcome=Outcome.NOT_APPLIED,
            diagnostics=(
                Diagnostic(
                    code="refused", severity=Severity.ERROR, message=LOUD, field="attachment_ref"
                ),
            ),
        )
    )


def everything(world: World, report: SyncReport) -> str:
    kept = (
        report,
        world.store.audit.list(limit=1000),
        world.store.outbox.list("main"),
        world.store.items.list(),
        world.store.sync_state.all(),
        world.store.quarantine.list("main"),
    )
    return msgspec.json.encode(kept).decode()


@pytest.mark.parametrize("error_class", list(ErrorClass))
@pytest.mark.parametrize("operation", ["sync_incremental", "get_quote_marker", "write_quote"])
def test_what_a_crm_says_of_a_failure_is_kept_short_and_without_secrets(
    synced: World, operation: str, error_class: ErrorClass
) -> None:
    synced.quote(synced.deal("D-1").id)
    synced.adapter = bend(synced.stub, **{operation: loud(error_class)})
    kept = everything(synced, synced.sync())
    assert "boom" in kept
    assert "ak_live_1" not in kept
    assert "u:pw" not in kept
    assert "x" * 501 not in kept
    assert "\\u001b" not in kept
    assert "\u202e" not in kept


def test_what_a_source_says_of_a_record_it_could_not_read_is_kept_short_too(
    synced: World,
) -> None:
    def spoil(page: CrmSyncResultDto) -> CrmSyncResultDto:
        failures = (ItemFailure(crm_ref="D-1", message=LOUD),)
        return msgspec.structs.replace(page, failures=failures if page.entity == "deal" else ())

    spoilt = then(synced.stub.sync_incremental, spoil)
    synced.adapter = bend(synced.stub, sync_incremental=spoilt)
    kept = everything(synced, synced.sync())
    assert "boom" in kept
    assert "ak_live_1" not in kept
    assert "x" * 501 not in kept


def test_what_stands_in_a_slot_of_somebody_else_is_kept_within_bounds(synced: World) -> None:
    op = synced.quote(synced.deal("D-1").id)
    foreign = MarkerReading(state=MarkerState.FOREIGN, raw="y" * 1_000_000, token="1")
    synced.adapter = bend(synced.stub, get_quote_marker=lambda *_args, **_named: foreign)
    kept = everything(synced, synced.sync())
    assert synced.op(op).state is OpState.CONFLICT
    assert len(kept) < 50_000


# --- a cursor that the source does not know any more ----------------------------------------------


def forgetful(world: World, *, times: int = 1) -> None:
    """Let the source not know our cursor of deals any more."""
    left = [times]
    real: Op = world.stub.sync_incremental

    def read(entity: Entity, cursor: str, **named: object) -> object:
        if entity is Entity.DEAL and cursor and left[0]:
            left[0] -= 1
            raise RemoteFailure(
                "The cursor has expired.",
                error_class=ErrorClass.PERMANENT,
                diagnostics=(
                    Diagnostic(
                        code="invalid_cursor", severity=Severity.ERROR, message="It has expired."
                    ),
                ),
            )
        return real(entity, cursor, **named)

    world.adapter = bend(world.stub, sync_incremental=read)


def test_a_cursor_that_the_source_has_forgotten_makes_it_read_everything_again(
    synced: World,
) -> None:
    synced.crm.set("deal", "D-1", {"stage": "won"})
    forgetful(synced)
    report = synced.sync()
    deals = report.entities[2]
    assert (report.exit_code, deals.full) == (0, True)
    assert (deals.counts.updated, deals.counts.unchanged) == (1, 2)
    [event] = synced.events("sync.cursor_lost")
    assert event.entity == "deal"
    assert event.body["cursor"]
    assert synced.state().cursor


def test_a_plan_foresees_that_everything_will_be_read_again(synced: World) -> None:
    synced.crm.set("deal", "D-1", {"stage": "won"})
    forgetful(synced)
    foreseen = plan(synced.ports)
    assert foreseen.failures == ()
    assert foreseen.counts["deal"].read == 3
    assert synced.events("sync.cursor_lost") == (), "nothing was written"


def test_a_source_that_forgets_every_cursor_ends_in_an_error_and_not_in_a_loop(
    synced: World,
) -> None:
    forgetful(synced, times=100)
    report = synced.sync()
    assert [one.error_class for one in report.failures] == [ErrorClass.PERMANENT]
    assert synced.state().phase is SyncPhase.ERROR
    assert len(synced.events("sync.cursor_lost")) == 1


def test_a_stub_file_that_was_replaced_is_read_from_its_beginning(synced: World) -> None:
    for number in range(5):
        synced.crm.set("account", "A-1", {"name": f"Alder {number}"})
    synced.sync()
    synced.close()
    for file in synced.home.glob("stub-*"):
        file.unlink()
    synced.open()
    report = synced.sync()
    assert report.exit_code == 0
    assert {event.entity for event in synced.events("sync.cursor_lost")} == {"account"}


# --- a mapping that changed under what waits ------------------------------------------------------

REGION = """
provider = "stub"
[deal.fields.x_region]
path = "region"
type = "{type}"
direction = "both"
policy = "local_wins"
"""


def remap(world: World, mapping: Mapping, region: str = "") -> None:
    """Be a new process with another mapping: this one, with a region of that type."""
    text = REGION.format(type=region)
    world.mapping = parse_mapping(text, name="own.toml", over=mapping) if region else mapping
    world.restart()


def without_contacts(mapping: Mapping) -> Mapping:
    entities = {name: one for name, one in mapping.entities.items() if name is not Entity.CONTACT}
    return msgspec.structs.replace(mapping, entities=entities, fingerprint="none")


def test_a_queued_value_that_is_no_longer_of_its_type_is_held_and_told(synced: World) -> None:
    plain = synced.mapping
    remap(synced, plain, "text")
    op = synced.edit(Entity.DEAL, "D-1", x_region="north")
    other = synced.edit(Entity.DEAL, "D-2", name="Zwei")
    remap(synced, plain, "integer")
    report = synced.sync()
    held = synced.op(op)
    assert (held.state, held.hold, held.attempts) == (OpState.HELD, Hold.MAPPING, 0)
    assert report.exit_code == 5
    [item] = synced.items(ConflictType.SCHEMA_MAPPING_MISMATCH)
    assert (item.field_name, item.local_value) == ("x_region", "north")
    assert synced.op(other).state is OpState.DELIVERED
    remap(synced, plain, "text")
    synced.settle_down()
    assert synced.op(op).state is OpState.DELIVERED
    assert synced.items() == ()


def test_a_new_deal_with_a_value_that_is_no_longer_of_its_type_is_held(synced: World) -> None:
    plain = synced.mapping
    remap(synced, plain, "text")
    _, op = synced.new_deal("A-1")
    payload = op.payload | {"x_region": "north"}
    made = msgspec.structs.replace(op, id="op_x", key="k_x", payload=payload, lane="deal/x")
    with synced.desk.transaction():
        synced.desk.outbox.add(made)
    remap(synced, plain, "integer")
    synced.sync()
    assert synced.op(made).hold is Hold.MAPPING


def test_a_queued_field_that_is_mapped_no_longer_is_held_and_told(synced: World) -> None:
    plain = synced.mapping
    remap(synced, plain, "text")
    op = synced.edit(Entity.DEAL, "D-1", x_region="north")
    remap(synced, plain)
    assert synced.sync().exit_code == 5
    assert (synced.op(op).hold, synced.op(op).attempts) == (Hold.MAPPING, 0)


def quarantined(world: World) -> None:
    world.crm.set("contact", "C-1", {"last_name": "", "first_name": ""})
    world.sync()


def kept_out_by_a_lock(world: World) -> None:
    now = world.clock.now()
    contact = world.record(Entity.CONTACT, "C-1")
    with world.desk.transaction():
        world.desk.locks.put(
            Lock(
                entity=Entity.CONTACT,
                entity_id=contact.id,
                field="email",
                actor="tess",
                reason="in talks",
                since=now,
                until=now + timedelta(hours=1),
            )
        )
    world.crm.set("contact", "C-1", {"email": "new@alder.example"})
    world.sync()
    world.turn(hours=2)


@pytest.mark.parametrize("wait", [quarantined, kept_out_by_a_lock])
def test_contacts_that_wait_do_no_harm_once_contacts_are_mapped_no_longer(
    synced: World, wait: Callable[[World], None]
) -> None:
    wait(synced)
    assert synced.items()
    before = synced.mapping
    synced.mapping = without_contacts(before)
    report = synced.sync()
    assert [str(one.entity) for one in report.entities] == ["account", "deal"]
    assert report.failures == ()
    synced.mapping = before
    synced.crm.set("contact", "C-1", {"last_name": "Ash"})
    assert synced.sync().exit_code == 0
    assert synced.items() == ()


def test_no_failure_leaves_the_connection_stopped_but_an_auth_failure(synced: World) -> None:
    for error_class in set(ErrorClass) - {ErrorClass.AUTH}:
        synced.adapter = bend(synced.stub, sync_incremental=loud(error_class))
        synced.sync()
        row = synced.store.connections.get("main")
        assert row is None or row.state is ConnectionState.ACTIVE
        synced.turn(hours=1)
