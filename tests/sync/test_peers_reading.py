"""Reading: what engines of this kind are tested for (docs/reference/peers-behaviours.md)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import apsw
import msgspec
import pytest

from quotey.contract.dto import CrmSyncResultDto, ItemFailure, RemoteRecord
from quotey.contract.errors import ErrorClass
from quotey.contract.fields import MIRRORED, Entity
from quotey.contract.identity import local_id
from quotey.contract.journal import MirrorRecord, RecordState, SyncPhase
from quotey.contract.mapping_file import parse_mapping
from quotey.contract.reconciliation import ConflictType
from quotey.sync.ports import SyncLimits
from tests.sync.bent import Op, bend, failing, then, watched
from tests.sync.world import DEALS, World, fields_of, make_world, write_dataset

HEADINGS = DEALS.splitlines(keepends=True)[0]
DEALS_ONLY = (Entity.DEAL,)
REFS = ("D-1", "D-2", "D-3")


def effects_of(world: World) -> int:
    """Count what we changed over there."""
    return sum(world.effects(kind) for kind in ("create_deal", "update_deal", "write_quote"))


def remap(world: World, text: str) -> None:
    """Be a new process with a mapping of one's own over the shipped one."""
    world.mapping = parse_mapping(
        f'provider = "stub"\n{text}', name="main.toml", over=world.mapping
    )
    world.restart()


def now_there(world: World, *refs: str) -> tuple[RemoteRecord, ...]:
    return world.stub.read_records(Entity.DEAL, refs, call=world.run().call(5)).records


def deals_come_as(world: World, *pages: tuple[RemoteRecord, ...]) -> None:
    """Let deals come in these pages, whatever the CRM holds."""
    left = list(pages)

    def turn(page: CrmSyncResultDto) -> CrmSyncResultDto:
        if page.entity is not Entity.DEAL:
            return page
        records = left.pop(0) if left else ()
        return msgspec.structs.replace(page, records=records, has_more=False)

    world.adapter = bend(world.stub, sync_incremental=then(world.stub.sync_incremental, turn))


def asked_for(world: World) -> list[tuple[str, tuple[str, ...]]]:
    """Note which records are asked for by id from now on."""
    asked: list[tuple[str, tuple[str, ...]]] = []
    real: Op = world.adapter.read_records

    def read(entity: Entity, refs: tuple[str, ...], **named: object) -> object:
        asked.append((entity, refs))
        return real(entity, refs, **named)

    world.adapter = bend(world.adapter, read_records=read)
    return asked


def everything(world: World) -> dict[str, list[tuple[object, ...]]]:
    """Give all rows of the database, table by table."""
    db = apsw.Connection(str(world.home / "quotey.db"), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        named = db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
        return {
            str(name): sorted(db.execute(f'SELECT * FROM "{name}"').fetchall(), key=repr)  # noqa: S608
            for (name,) in named
        }
    finally:
        db.close()


# --- 1, 2, 3: what is known of a record and what is not -------------------------------------------


def test_what_is_gone_on_both_sides_leaves_no_state_and_no_request(synced: World) -> None:
    synced.crm.add("deal", "D-9", {"name": "Nine", "account_id": "A-404", "currency": "EUR"})
    synced.sync()
    assert synced.store.quarantine.count("main") == 1
    synced.crm.delete("deal", "D-9")
    synced.sync()
    assert (synced.store.quarantine.count("main"), synced.items()) == (0, ())
    assert synced.store.records.by_refs("main", Entity.DEAL, ("D-9",)) == {}
    asked = asked_for(synced)
    synced.turn(days=2)
    assert synced.sync(sweep=True).exit_code == 0
    assert asked == []


def test_a_sync_that_lost_its_state_adopts_what_is_there_and_writes_nothing(synced: World) -> None:
    before = {ref: synced.deal(ref) for ref in REFS}
    for entity in MIRRORED:
        with synced.store.transaction():
            lost = msgspec.structs.replace(synced.state(entity), cursor="", fingerprint="")
            synced.store.sync_state.put(lost)
    synced.turn(hours=1)
    report = synced.sync()
    assert report.exit_code == 0
    assert [entity.full for entity in report.entities] == [True, True, True]
    assert [entity.counts.created for entity in report.entities] == [0, 0, 0]
    assert (synced.items(), effects_of(synced)) == ((), 0)
    after = {ref: synced.deal(ref) for ref in REFS}
    assert {ref: (one.id, one.local, one.base) for ref, one in after.items()} == {
        ref: (one.id, one.local, one.base) for ref, one in before.items()
    }


def without_a_base(world: World, **local_ts: int) -> None:
    """Hold D-1 here already, bound, with other content, and nothing that both once agreed on."""
    now = world.clock.now()
    account = local_id("main", Entity.ACCOUNT, "A-1")
    record = MirrorRecord(
        connection="main",
        entity=Entity.DEAL,
        id=local_id("main", Entity.DEAL, "D-1"),
        crm_ref="D-1",
        local={
            "account_id": account,
            "name": "Ours",
            "stage": "won",
            "amount": "5",
            "currency": "EUR",
        },
        base={},
        local_ts={name: now + timedelta(days=days) for name, days in local_ts.items()},
    )
    world.sync(entities=(Entity.ACCOUNT,))
    with world.desk.transaction():
        world.desk.records.put_many([record])


def test_the_same_record_with_other_content_and_no_state_is_decided_by_policy(
    world: World,
) -> None:
    without_a_base(world, name=0)  # after the CRM's own moment; of the amount no moment is known
    report = world.sync()
    deal = world.deal("D-1")
    assert report.exit_code == 3
    assert deal.local["stage"] == "prospecting", "crm_wins"
    [told] = [fields_of(one) for one in world.events("record.updated")]
    assert (told["stage"]["winner"], told["stage"]["loser"]) == ("prospecting", "won")
    assert (told["name"]["winner"], told["name"]["loser"]) == ("Ours", "One"), "newest"
    [item] = world.items()
    assert (item.conflict_type, item.field_name) == (ConflictType.UNDECIDED_MERGE, "amount")
    assert (item.local_value, item.remote_value) == ("5", "100")
    assert world.remote("deal", "D-1")["name"] == "Ours", "the winner is on both sides"
    assert str(world.remote("deal", "D-1")["amount"]) == "100.00"
    assert len(world.store.records.list("main", Entity.DEAL, 100)) == 3


def test_it_is_decided_once(world: World) -> None:
    without_a_base(world, name=0, amount=0)
    assert world.sync().exit_code == 0
    world.settle_down()
    held, sent = world.deal("D-1"), effects_of(world)
    assert (held.local["name"], held.local["amount"]) == ("Ours", "5")
    assert held.local == held.base
    world.turn(hours=1)
    world.sync()
    assert (world.deal("D-1").local, effects_of(world)) == (held.local, sent)


# --- 4, 5, 6: changes, deletions, decisions come to rest ------------------------------------------


def test_a_change_that_is_not_allowed_is_asked_once_and_never_loops(synced: World) -> None:
    remap(synced, '[deal.fields.account_id]\npolicy = "immutable_after_bind"\n')
    synced.sync()
    before, sent = synced.deal("D-1").local, effects_of(synced)
    synced.crm.set("deal", "D-1", {"account_id": "A-2"})
    for _ in range(4):
        assert synced.sync(sweep=True).exit_code == 3
        synced.turn(days=1)
    [item] = synced.items()
    assert (item.conflict_type, item.occurrences) == (ConflictType.IDENTITY_MISMATCH, 1)
    assert synced.deal("D-1").local == before
    assert (synced.store.outbox.list("main"), effects_of(synced)) == ((), sent)


def test_a_deletion_goes_over_once_and_what_is_made_again_comes_back(synced: World) -> None:
    id_ = synced.deal("D-1").id
    synced.crm.delete("deal", "D-1")
    assert synced.sync().entities[2].counts.gone == 1
    assert synced.sync(sweep=True).entities[2].counts.gone == 0
    assert len(synced.events("record.gone")) == 1
    synced.crm.set("deal", "D-1", {"name": "One again"})
    synced.sync()
    deal = synced.deal("D-1")
    assert (deal.state, deal.id, deal.local["name"]) == (RecordState.LIVE, id_, "One again")
    assert effects_of(synced) == 0


@pytest.mark.parametrize(
    ("policy", "winner"),
    [
        ('policy = "crm_wins"', "222"),
        ('policy = "local_wins"', "111"),
        ('policy = "merge_with_audit"\nstrategy = "newest"', "222"),
        ('policy = "merge_with_audit"\nstrategy = "min"', "111"),
    ],
)
def test_when_both_sides_changed_the_winner_is_on_both_and_the_next_pass_does_nothing(
    synced: World, policy: str, winner: str
) -> None:
    remap(synced, f"[deal.fields.amount]\n{policy}\n")
    synced.sync()
    synced.turn(hours=1)
    synced.edit(Entity.DEAL, "D-1", amount="111")
    synced.turn(hours=1)
    synced.crm.set("deal", "D-1", {"amount": "222"}, at=synced.clock.now())
    synced.turn(hours=1)
    synced.settle_down()
    held = synced.deal("D-1")
    assert (held.local["amount"], held.base["amount"]) == (winner, winner)
    assert float(str(synced.remote("deal", "D-1")["amount"])) == float(winner)
    seen = (synced.store.audit.head(), effects_of(synced), synced.remote("deal", "D-1"))
    synced.turn(hours=1)
    synced.sync()
    assert (synced.store.audit.head(), effects_of(synced), synced.remote("deal", "D-1")) == seen


# --- 8, 12: a revision alone says nothing ---------------------------------------------------------


def test_a_revision_that_moved_without_a_change_is_no_write_and_no_conflict(synced: World) -> None:
    before, head = synced.deal("D-1"), synced.store.audit.head()
    synced.crm.set("deal", "D-1", {"stage": "won"})
    synced.crm.set("deal", "D-1", {"stage": "prospecting"})
    report = synced.sync()
    after = synced.deal("D-1")
    assert (after.local, after.local_version) == (before.local, before.local_version)
    assert int(after.source_version) > int(before.source_version)
    assert (report.entities[2].counts.updated, synced.items()) == (0, ())
    assert (synced.store.audit.head(), effects_of(synced)) == (head, 0)


def test_a_late_page_does_not_undo_the_return_to_what_stood_before(synced: World) -> None:
    synced.crm.set("deal", "D-1", {"stage": "won"})
    between = now_there(synced, "D-1")
    synced.crm.set("deal", "D-1", {"stage": "prospecting"})
    synced.sync()
    deals_come_as(synced, between)
    assert synced.sync(entities=DEALS_ONLY).entities[0].counts.stale == 1
    assert synced.deal("D-1").local["stage"] == "prospecting"


def test_where_both_revisions_moved_and_ours_alone_says_nothing_theirs_is_taken(
    synced: World,
) -> None:
    synced.edit(Entity.DEAL, "D-1", name="One")  # a new version of ours, with what stood there
    synced.crm.set("deal", "D-1", {"name": "Uno"})
    synced.settle_down()
    assert synced.deal("D-1").local["name"] == "Uno"
    assert synced.remote("deal", "D-1")["name"] == "Uno"
    assert synced.items() == ()


def test_where_both_revisions_moved_and_theirs_alone_says_nothing_ours_goes_out(
    synced: World,
) -> None:
    synced.edit(Entity.DEAL, "D-1", name="Uno")
    synced.crm.set("deal", "D-1", {"stage": "won"})
    synced.crm.set("deal", "D-1", {"stage": "prospecting"})
    synced.settle_down()
    assert synced.remote("deal", "D-1")["name"] == "Uno"
    assert (synced.deal("D-1").base["name"], synced.items()) == ("Uno", ())


# --- 9: one side suddenly empty -------------------------------------------------------------------


def many(count: int) -> str:
    rows = (f"D-{n},Deal {n},A-1,won,1.00,2026-05-01,EUR\n" for n in range(1, count + 1))
    return HEADINGS + "".join(rows)


def emptied(world: World) -> None:
    """Put another, empty CRM in the place of the one that was read."""
    world.close()
    for file in world.home.glob("stub-*"):
        file.unlink()
    folder = Path(world.settings.dataset or "")
    write_dataset(folder, accounts="id,name,website,segment\n", deals=HEADINGS)
    (folder / "contacts.csv").write_text("id,first_name,last_name,email,account_id\n")
    world.open()


def living(world: World) -> int:
    return world.store.records.count_by_state("main", Entity.DEAL)[RecordState.LIVE]


@pytest.fixture
def crowd(tmp_path: Path) -> Iterator[World]:
    world = make_world(tmp_path, page_size=10, deals=many(40))
    assert world.sync().exit_code == 0
    yield world
    world.close()


@pytest.mark.parametrize("sweep", [False, True])
def test_one_side_suddenly_empty_stops_and_deletes_nothing(crowd: World, sweep: bool) -> None:
    quoted = crowd.quote(crowd.deal("D-1").id)
    emptied(crowd)
    report = crowd.sync(entities=DEALS_ONLY, sweep=sweep)
    assert report.exit_code == 3
    assert crowd.state().phase is SyncPhase.ERROR
    assert living(crowd) == 40
    assert crowd.events("record.gone") == ()
    [item] = crowd.items(ConflictType.MASS_CHANGE)
    assert "no record at all" in item.detail
    assert crowd.store.quotes.get(quoted.entity_id) is not None


def test_even_a_persons_yes_to_an_empty_side_deletes_nothing_that_is_not_proved(
    crowd: World,
) -> None:
    emptied(crowd)
    crowd.sync(entities=DEALS_ONLY)
    crowd.sync(entities=DEALS_ONLY, accept_mass_change=True, sweep=True)
    assert (living(crowd), crowd.events("record.gone")) == (40, ())


def test_an_empty_side_deletes_nothing_where_few_records_stood_either(synced: World) -> None:
    emptied(synced)
    for _ in range(2):
        synced.sync(sweep=True)
        synced.turn(days=2)
    assert (living(synced), synced.events("record.gone")) == (3, ())


# --- 10: two records claim one identity -----------------------------------------------------------


def test_two_accounts_of_one_domain_are_two_and_nothing_is_merged(synced: World) -> None:
    birch = synced.record(Entity.ACCOUNT, "A-2")
    same = {"name": "Alder Two", "website": "alder.example", "segment": "SMB"}
    synced.crm.add("account", "A-9", same)
    synced.crm.set("account", "A-2", {"website": "alder.example"})
    assert synced.sync().exit_code == 0
    known = {ref: synced.record(Entity.ACCOUNT, ref) for ref in ("A-1", "A-2", "A-9")}
    assert {one.local["domain"] for one in known.values()} == {"alder.example"}
    assert len({one.id for one in known.values()}) == 3
    assert known["A-2"].id == birch.id
    assert synced.deal("D-1").local["account_id"] == known["A-1"].id
    assert synced.deal("D-2").local["account_id"] == known["A-2"].id
    found = synced.store.records.search("main", Entity.ACCOUNT, "alder.example", 10)
    assert {one.crm_ref for one in found} == {"A-1", "A-2", "A-9"}, "a person sees all of them"


# --- 17, 18, 19: checkpoints ----------------------------------------------------------------------


def test_one_record_that_fails_holds_no_neighbour_back_and_only_it_is_read_again(
    tmp_path: Path,
) -> None:
    world = make_world(tmp_path, page_size=10, deals=many(5))
    world.sync(entities=(Entity.ACCOUNT,))
    poison = "D-3"

    def spoil(page: CrmSyncResultDto) -> CrmSyncResultDto:
        bad = tuple(one for one in page.records if one.crm_ref == poison)
        return msgspec.structs.replace(
            page,
            records=tuple(one for one in page.records if one not in bad),
            failures=tuple(ItemFailure(crm_ref=one.crm_ref, message="not today") for one in bad),
        )

    world.adapter = bend(world.stub, sync_incremental=then(world.stub.sync_incremental, spoil))
    report = world.sync(entities=DEALS_ONLY)
    assert (report.exit_code, report.entities[0].counts.rejected) == (3, 1)
    assert {one.crm_ref for one in world.store.records.list("main", Entity.DEAL, 10)} == {
        "D-1",
        "D-2",
        "D-4",
        "D-5",
    }
    asked = asked_for(world)
    report = world.sync(entities=DEALS_ONLY)
    assert asked == [(Entity.DEAL, (poison,))]
    assert (report.exit_code, report.entities[0].counts.read) == (0, 0), "no neighbour came again"
    assert world.deal(poison).local["name"] == "Deal 3"
    assert world.items() == ()
    world.close()


def test_a_sync_with_nothing_new_writes_nothing_but_that_it_was_there(synced: World) -> None:
    synced.turn(minutes=5)
    synced.sync()
    before = everything(synced)
    cursors = [synced.state(entity).cursor for entity in MIRRORED]
    synced.turn(minutes=5)
    assert synced.sync().exit_code == 0
    after = everything(synced)
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"sync_state"}, "when it ran, and under which epoch (seed 6.2)"
    assert [synced.state(entity).cursor for entity in MIRRORED] == cursors
    assert synced.state(Entity.QUOTE).epoch == 0


def put_cursor(world: World, cursor: str) -> None:
    with world.store.transaction():
        world.store.sync_state.put(msgspec.structs.replace(world.state(), cursor=cursor))


def test_a_checkpoint_ahead_of_the_crm_starts_over_and_doubles_nothing(synced: World) -> None:
    before = {ref: synced.deal(ref).id for ref in REFS}
    synced.crm.set("deal", "D-1", {"stage": "won"})
    put_cursor(synced, "999999")
    report = synced.sync(entities=DEALS_ONLY)
    counts = report.entities[0].counts
    assert (report.exit_code, report.entities[0].full) == (0, True)
    assert (counts.created, counts.updated, counts.unchanged) == (0, 1, 2)
    assert {ref: synced.deal(ref).id for ref in REFS} == before
    assert int(synced.state().cursor) < 999999
    assert (synced.items(), effects_of(synced)) == ((), 0)


def test_a_checkpoint_behind_the_mirror_reads_the_rest_again_and_changes_nothing(
    synced: World,
) -> None:
    behind = synced.state().cursor
    for stage in ("won", "lost"):
        synced.crm.set("deal", "D-1", {"stage": stage})
    synced.edit(Entity.DEAL, "D-2", name="Due")
    synced.sync()
    synced.sync()
    held, head = {ref: synced.deal(ref) for ref in REFS}, synced.store.audit.head()
    put_cursor(synced, behind)
    report = synced.sync(entities=DEALS_ONLY)
    counts = report.entities[0].counts
    assert (report.entities[0].full, counts.read, counts.unchanged) == (False, 2, 2)
    assert {ref: synced.deal(ref) for ref in REFS} == held
    assert synced.store.audit.head() == head
    assert effects_of(synced) == 1, "the one edit, once"


# --- 24: every order of arrival -------------------------------------------------------------------


ARRIVALS = list(itertools.permutations(range(4)))


@pytest.mark.parametrize("order", ARRIVALS[::3], ids=lambda one: "".join(map(str, one)))
def test_the_winner_is_the_same_in_every_order_of_arrival(
    synced: World, order: tuple[int, ...]
) -> None:
    states: list[RemoteRecord] = []
    for stage in ("lost", "won"):
        synced.crm.set("deal", "D-1", {"stage": stage, "name": f"One {stage}"})
        states += now_there(synced, "D-1")
    synced.crm.delete("deal", "D-1")
    states += now_there(synced, "D-1")
    synced.crm.set("deal", "D-1", {"stage": "back"})
    states += now_there(synced, "D-1")
    for number in order:
        deals_come_as(synced, (states[number],))
        synced.sync(entities=DEALS_ONLY)
    deal = synced.deal("D-1")
    assert (deal.local["stage"], deal.local["name"]) == ("back", "One won")
    assert (deal.state, deal.source_version) == (RecordState.LIVE, states[3].source_version)
    assert synced.items() == ()


# --- 33: counts -----------------------------------------------------------------------------------


def test_counts_outlive_a_restart_and_what_was_missed_adds_up(synced: World) -> None:
    synced.crm.set("deal", "D-1", {"stage": "won"})
    synced.sync()
    counts = synced.state().counts
    assert (counts.read, counts.updated) == (1, 1)
    for round_ in (1, 2):
        synced.crm.set("deal", "D-2", {"name": f"Seen {round_}"})
        synced.crm.set("deal", "D-1", {"name": f"Missed {round_}"})
        synced.crm.fail("skipped_rows", operation="sync_incremental", times=9)
        synced.sync(entities=DEALS_ONLY)
        synced.crm.heal()
        missing = synced.sync(entities=DEALS_ONLY, sweep=True).entities[0].sweep
        assert missing is not None
        assert missing.missed == 1
        kept = (synced.state().counts, synced.swept().missed_total)
        synced.restart()
        assert (synced.state().counts, synced.swept().missed_total) == kept
        assert synced.swept().missed_total == round_


# --- 50: odd streams ------------------------------------------------------------------------------


def altered(record: RemoteRecord, **properties: object) -> RemoteRecord:
    """Give a later revision of a record, with these properties laid over its own."""
    return msgspec.structs.replace(
        record,
        payload=msgspec.json.encode(msgspec.json.decode(record.payload) | properties),
        source_version=str(int(record.source_version) + 1000),
    )


def test_a_stream_of_doubles_is_one_record_with_its_last_values(synced: World) -> None:
    states: list[RemoteRecord] = []
    for stage in ("lost", "won"):
        synced.crm.set("deal", "D-1", {"stage": stage})
        states += now_there(synced, "D-1")
    one, two = states
    deals_come_as(synced, (one, two, one, two, one))
    counts = synced.sync(entities=DEALS_ONLY).entities[0].counts
    assert (counts.updated, counts.created) == (1, 0)
    assert synced.deal("D-1").local["stage"] == "won"
    assert len(synced.events("record.updated")) == 1


def test_a_record_without_a_key_is_told_and_its_neighbours_come_in(synced: World) -> None:
    synced.crm.set("deal", "D-1", {"stage": "won"})
    synced.crm.set("deal", "D-2", {"stage": "won"})
    first_, second = now_there(synced, "D-1", "D-2")
    nameless = msgspec.structs.replace(second, crm_ref="")
    deals_come_as(synced, (nameless, first_))
    report = synced.sync(entities=DEALS_ONLY)
    assert synced.deal("D-1").local["stage"] == "won"
    assert synced.store.records.by_refs("main", Entity.DEAL, ("",)) == {}
    assert report.entities[0].counts.rejected == 1
    assert report.exit_code == 3


def test_a_stream_whose_schema_grows_and_breaks_is_taken_or_kept_out_one_by_one(
    synced: World,
) -> None:
    one, two, three = now_there(synced, *REFS)
    lacking = msgspec.json.decode(three.payload) | {"name": "Tre"}
    del lacking["amount"]
    bent = (
        altered(one, brand_new={"nested": ["x"]}, stage="won"),
        altered(two, amount={"value": "plenty"}),
        msgspec.structs.replace(altered(three), payload=msgspec.json.encode(lacking)),
    )
    deals_come_as(synced, bent)
    report = synced.sync(entities=DEALS_ONLY)
    counts = report.entities[0].counts
    assert (counts.updated, counts.rejected) == (2, 1)
    assert synced.deal("D-1").local["stage"] == "won"
    assert "brand_new" not in synced.deal("D-1").local
    assert synced.deal("D-2").local["amount"] == "200"
    assert (synced.deal("D-3").local["name"], synced.deal("D-3").local["amount"]) == ("Tre", "300")


@pytest.mark.parametrize(
    "name",
    ["a b", "a.b/c%d", "a'b\"c", "$:&*{}", "ünïcödé", "日本語", "__proto__", "select", "A" * 300],
)
def test_a_property_with_any_name_neither_stops_the_stream_nor_takes_a_fields_place(
    synced: World, name: str
) -> None:
    [record] = now_there(synced, "D-1")
    before = synced.deal("D-1").local
    deals_come_as(synced, (altered(record, **{name: "odd", "stage": "won"}),))
    assert synced.sync(entities=DEALS_ONLY).exit_code == 0
    assert synced.deal("D-1").local == before | {"stage": "won"}


def test_of_many_checkpoints_in_one_stream_the_last_one_counts(tmp_path: Path) -> None:
    world = make_world(tmp_path, page_size=1, deals=many(4))
    world.sync()
    last = world.state().cursor
    assert int(last) == world.crm.list("deal")[-1].revision
    asked: list[str] = []
    world.adapter = watched(world.stub, lambda _: asked.append(world.state().cursor))
    assert world.sync(entities=DEALS_ONLY).entities[0].counts.read == 0
    assert asked == [last]
    world.close()


# --- 52: no gap -----------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [2, 3, 4])
def test_a_page_that_fails_leaves_the_checkpoint_at_the_end_of_the_last_page_before_it(
    tmp_path: Path, bad: int
) -> None:
    world = make_world(tmp_path, page_size=2, deals=many(8), limits=SyncLimits(read_tries=1))
    world.sync(entities=(Entity.ACCOUNT,))
    real: Op = world.stub.sync_incremental
    asked: list[str] = []

    def read(entity: Entity, cursor: str, **named: object) -> object:
        asked.append(cursor)
        if len(asked) == bad:
            failing(ErrorClass.TRANSIENT)()
        return real(entity, cursor, **named)

    world.adapter = bend(world.stub, sync_incremental=read)
    assert world.sync(entities=DEALS_ONLY).exit_code == 6
    revisions = [one.revision for one in world.crm.list("deal")]
    done = 2 * (bad - 1)
    assert int(world.state().cursor) == revisions[done - 1]
    assert world.store.records.count("main", Entity.DEAL) == done
    assert len(asked) == bad, "nothing behind the gap was asked for"
    world.turn(minutes=5)
    assert world.sync(entities=DEALS_ONLY).exit_code == 0
    assert int(asked[bad]) == revisions[done - 1], "it goes on at the gap"
    assert world.store.records.count("main", Entity.DEAL) == 8
    world.close()
