"""Section 4 of the seed: who answers for what, which way it flows, and the four policies."""

from __future__ import annotations

import pytest

from quotey.adapters.stub.tools import RemoteState
from quotey.contract.errors import MappingError, StoreError, UsageError
from quotey.contract.fields import BY_PATH, OWNERSHIP, Direction, Entity, Owner, Policy
from quotey.contract.identity import local_id
from quotey.contract.journal import OpState
from quotey.contract.mapping_file import parse_mapping
from quotey.contract.quote import QuoteStatus
from quotey.contract.reconciliation import ConflictType
from quotey.desk import accounts, deals, locks, quotes
from quotey.desk.quotes import LineTerms, QuoteTerms
from tests.seed.house import (
    desk_of,
    operation_of,
    quote_now,
    quoted,
    remap,
    shipped,
)
from tests.seed.vendors import VENDORS, mapping_text
from tests.sync.world import World

GROUPS = {row.group: row for row in OWNERSHIP}


def owned(group: str) -> tuple[str, str, str]:
    """Give one row of the ownership matrix: owner, direction, policy."""
    row = next(row for name, row in GROUPS.items() if name.startswith(group))
    return row.owner, row.direction, row.policy


# --- 4.1 principles ------------------------------------------------------------------------------


def test_cpq_execution_truth_is_local_first_in_sqlite(synced: World) -> None:
    """With the CRM gone, quotes are made, revised, approved and read; sync cannot write them."""
    synced.crm.fail("server_error", times=1000)
    answer = quoted(synced)
    quote_id = answer.quote.id
    quotes.revise(desk_of(synced), quote_id, QuoteTerms(total="95.00"))
    quotes.change_status(desk_of(synced), quote_id, "pending_approval")
    quotes.change_status(desk_of(synced), quote_id, "approved", approver="eve")
    synced.restart()
    kept = quote_now(synced, answer)
    assert (kept.current.version, str(kept.current.total)) == (4, "95.00")
    assert (kept.current.status, kept.current.approver) == (QuoteStatus.APPROVED, "eve")
    with pytest.raises(StoreError), synced.store.transaction():
        synced.store.quotes.add_version(kept.current)
    with pytest.raises(StoreError), synced.store.transaction():
        synced.store.quotes.set_published(kept.deal_id, kept.id)
    assert quote_now(synced, answer) == kept


def test_the_crm_is_authoritative_for_core_identities_unless_a_field_policy_overrides_it(
    synced: World,
) -> None:
    synced.crm.set("account", "A-1", {"name": "Alder Group"})
    synced.crm.set("deal", "D-1", {"account_id": "A-2"})
    synced.sync()
    assert synced.record(Entity.ACCOUNT, "A-1").local["name"] == "Alder Group"
    assert synced.deal("D-1").local["account_id"] == local_id("main", Entity.ACCOUNT, "A-2")
    remap(synced, '[deal.fields.name]\npolicy = "local_wins"\n')
    synced.sync()
    synced.crm.set("deal", "D-1", {"name": "Theirs"})
    synced.settle_down()
    assert synced.deal("D-1").local["name"] == "One"
    assert synced.remote("deal", "D-1")["name"] == "One", "and it is asserted over there"


def test_ownership_is_field_level_not_table_level(synced: World) -> None:
    """One deal, changed on both sides: each field goes its own way."""
    deals.update(desk_of(synced), "D-1", {"name": "Ours", "amount": "111"})
    synced.crm.set("deal", "D-1", {"stage": "won", "amount": "999"}, at=synced.clock.now())
    synced.turn(minutes=10)
    deals.update(desk_of(synced), "D-1", {"amount": "112"})
    synced.settle_down()
    local = synced.deal("D-1").local
    assert local["stage"] == "won", "the CRM's field was taken"
    assert local["name"] == "Ours", "the field that only we changed was kept"
    assert local["amount"] == "112", "the newer of two was kept"
    there = synced.remote("deal", "D-1")
    assert (there["stage"], there["name"], str(there["amount"])) == ("won", "Ours", "112")
    policies = {BY_PATH[f"deal.{name}"].policy for name in ("id", "stage", "name")}
    assert len(policies) == 3, "three policies in one table"


# --- 4.2 the matrix ------------------------------------------------------------------------------


def test_account_identity_is_owned_by_the_crm_flows_inbound_and_crm_wins(synced: World) -> None:
    assert owned("account identity") == ("CRM", "inbound to local", "crm_wins")
    for name in ("name", "domain"):
        row = BY_PATH[f"account.{name}"]
        assert (row.owner, row.direction, row.policy) == (
            Owner.CRM,
            Direction.INBOUND,
            Policy.CRM_WINS,
        )
        with pytest.raises(UsageError, match=name):
            accounts.update(desk_of(synced), "A-1", {name: "ours.example"})
    synced.crm.set("account", "A-1", {"name": "Alder Group", "website": "group.example"})
    synced.sync()
    local = synced.record(Entity.ACCOUNT, "A-1").local
    assert (local["name"], local["domain"]) == ("Alder Group", "group.example")
    assert synced.effects("update_account") == 0


ENRICHMENT = {
    'policy = "crm_wins"\n': "enterprise",
    'policy = "local_wins"\n': "mid_market",
    'policy = "merge_with_audit"\nstrategy = "prefer_nonblank"\n': "enterprise",
    'policy = "merge_with_audit"\nstrategy = "newest"\n': "mid_market",
}
"""Policy of `account.segment` to what stands after the CRM and, later, we have changed it."""


@pytest.mark.parametrize(("policy", "stands"), ENRICHMENT.items())
def test_account_enrichment_is_policy_configurable_bidirectional_explicit_per_field(
    synced: World, policy: str, stands: str
) -> None:
    assert owned("account enrichment") == (
        "policy-configurable",
        "bidirectional",
        "explicit per field",
    )
    remap(synced, f"[account.fields.segment]\n{policy}")
    synced.sync()
    synced.crm.set("account", "A-1", {"segment": "Enterprise"}, at=synced.clock.now())
    synced.turn(minutes=10)
    accounts.update(desk_of(synced), "A-1", {"segment": "mid_market"})
    synced.settle_down()
    words = {"enterprise": "Enterprise", "mid_market": "Mid-Market"}
    assert synced.record(Entity.ACCOUNT, "A-1").local["segment"] == stands
    assert synced.remote("account", "A-1")["segment"] == words[stands], "both sides agree"


def test_deal_stage_and_close_date_are_owned_by_the_crm_and_crm_wins_unless_a_lock_stands(
    synced: World,
) -> None:
    assert owned("deal stage/close date") == (
        "CRM",
        "inbound preferred",
        "crm_wins unless lock window",
    )
    for name in ("stage", "close_date"):
        locks.lock(desk_of(synced), "deal/D-1", name, duration="48h", reason="in talks")
    for ref in ("D-1", "D-2"):
        synced.crm.set("deal", ref, {"stage": "won", "close_date": "2026-12-31"})
    synced.sync()
    values = [synced.deal(ref).local for ref in ("D-1", "D-2")]
    assert [(v["stage"], v["close_date"]) for v in values] == [
        ("prospecting", "2026-05-01"),
        ("won", "2026-12-31"),
    ]
    synced.turn(hours=49)
    synced.sync()
    after = synced.deal("D-1").local
    assert (after["stage"], after["close_date"]) == ("won", "2026-12-31"), "the window is over"


def test_the_local_quote_lifecycle_is_owned_by_quotey_flows_outbound_and_local_wins(
    synced: World,
) -> None:
    assert owned("local CPQ quote lifecycle") == ("Quotey", "outbound to CRM", "local_wins")
    answer = quoted(synced)
    synced.sync()
    synced.crm.set("deal", "D-1", {"quote_status": "accepted", "quote_total": "1"})
    synced.sync()
    assert quote_now(synced, answer).current.status is QuoteStatus.PRICED, "nothing flows in"
    quotes.change_status(desk_of(synced), answer.quote.id, "pending_approval")
    synced.sync()
    assert synced.remote("deal", "D-1")["quote_status"] == "pending_approval"
    assert quote_now(synced, answer).current.status is QuoteStatus.PENDING_APPROVAL


def test_pricing_totals_flow_outbound_as_a_summary_only_and_traces_stay_local(
    synced: World,
) -> None:
    assert owned("local pricing totals") == ("Quotey", "outbound summary only", "local_wins")
    lines = (LineTerms(name="Secret-licence", total="80"), LineTerms(name="Set-up", total="10.50"))
    trace = "trace: list 120, discount 25 %"
    answer = quoted(synced, total=None, lines=lines, price_trace=trace)
    synced.sync()
    assert operation_of(synced, answer).state is OpState.DELIVERED
    assert str(synced.remote("deal", "D-1")["quote_total"]) == "90.5"
    assert quote_now(synced, answer).current.price_trace == trace
    left = f"{operation_of(synced, answer).payload} {everything_over_there(synced)}"
    assert "Secret-licence" not in left
    assert "discount" not in left


def test_approval_artifacts_are_owned_by_quotey_and_flow_outbound_as_a_summary_only(
    synced: World,
) -> None:
    assert owned("approval artifacts") == ("Quotey", "outbound summary optional", "local_wins")
    answer = quoted(synced)
    quotes.change_status(desk_of(synced), answer.quote.id, "pending_approval")
    quotes.change_status(
        desk_of(synced), answer.quote.id, "approved", approver="Eve Approver", note="only this once"
    )
    synced.settle_down()
    assert synced.remote("deal", "D-1")["quote_status"] == "approved", "that it is, is told"
    assert quote_now(synced, answer).current.approver == "Eve Approver"
    left = everything_over_there(synced)
    assert "Eve Approver" not in left
    assert "only this once" not in left


def test_sync_cursors_and_operational_metadata_are_local_only(synced: World) -> None:
    """Of all that a sync remembers, nothing but quote and marker is ever written over there."""
    assert owned("sync cursors") == ("Quotey", "local only", "n/a")
    before = {(one.entity, one.ref): set(one.payload) for one in _records_over_there(synced)}
    quoted(synced)
    deals.update(desk_of(synced), "D-1", {"name": "Ours"})
    synced.crm.fail("timeout_after", operation="write_quote")
    synced.settle_down()
    new = {
        name
        for one in _records_over_there(synced)
        for name in set(one.payload) - before[one.entity, one.ref]
    }
    marker = {"quotey_instance_id", "quotey_payload_digest"}
    assert new == marker | {
        f"quote_{name}"
        for name in ("id", "version", "status", "total", "currency", "valid_until", "attachment")
    }
    assert synced.state(Entity.DEAL).cursor not in everything_over_there(synced).split('"')


def _records_over_there(world: World) -> list[RemoteState]:
    return [one for entity in ("account", "contact", "deal") for one in world.crm.list(entity)]


def everything_over_there(world: World) -> str:
    """Give all that the CRM holds and all that it was ever told, as text."""
    held = [one.payload for one in _records_over_there(world)]
    return f"{held} {[effect.body for effect in world.crm.log()]}"


# --- 4.3 the four policies -----------------------------------------------------------------------


def clash(world: World, policy: str) -> None:
    """Let the CRM and, ten minutes later, a person here change the name of one deal."""
    remap(world, f"[deal.fields.name]\n{policy}")
    world.sync()
    world.crm.set("deal", "D-1", {"name": "Theirs"}, at=world.clock.now())
    world.turn(minutes=10)
    deals.update(desk_of(world), "D-1", {"name": "Ours"})
    world.settle_down()


def test_a_field_under_crm_wins_takes_the_value_of_the_crm(synced: World) -> None:
    clash(synced, 'policy = "crm_wins"\n')
    assert synced.deal("D-1").local["name"] == "Theirs"
    assert synced.remote("deal", "D-1")["name"] == "Theirs"


def test_a_field_under_local_wins_keeps_the_local_value(synced: World) -> None:
    clash(synced, 'policy = "local_wins"\n')
    assert synced.deal("D-1").local["name"] == "Ours"
    assert synced.remote("deal", "D-1")["name"] == "Ours"
    synced.crm.set("deal", "D-1", {"name": "Theirs again"})
    synced.settle_down()
    assert synced.deal("D-1").local["name"] == "Ours", "also when only the CRM changed it"
    assert synced.remote("deal", "D-1")["name"] == "Ours"


@pytest.mark.parametrize(
    ("strategy", "winner", "loser"),
    [("newest", "Ours", "Theirs"), ("prefer_nonblank", "Theirs", "Ours")],
)
def test_a_field_under_merge_with_audit_picks_a_winner_and_audits_the_loser(
    synced: World, strategy: str, winner: str, loser: str
) -> None:
    clash(synced, f'policy = "merge_with_audit"\nstrategy = "{strategy}"\n')
    assert synced.deal("D-1").local["name"] == winner
    assert synced.remote("deal", "D-1")["name"] == winner
    told = [event.body["fields"] for event in synced.events("record.updated")]
    decisions = [one["name"] for one in told if isinstance(one, dict) and "name" in one]
    assert [(one["winner"], one["loser"]) for one in decisions if "loser" in one] == [
        (winner, loser)
    ]


def test_a_field_under_immutable_after_bind_never_changes_once_bound(synced: World) -> None:
    remap(synced, '[deal.fields.account_id]\npolicy = "immutable_after_bind"\n')
    synced.sync()
    before = synced.deal("D-1").local
    synced.crm.set("deal", "D-1", {"account_id": "A-2", "name": "Moved"})
    report = synced.sync()
    assert synced.deal("D-1").local == before, "the record is held as a whole"
    [item] = synced.items()
    assert (item.conflict_type, item.field_name) == (ConflictType.IDENTITY_MISMATCH, "account_id")
    assert item.field_policy_mode is Policy.IMMUTABLE_AFTER_BIND
    assert report.exit_code == 3
    synced.sync()
    assert synced.deal("D-1").local == before


@pytest.mark.parametrize("policy", [*Policy, "newest_wins", "remote_wins", ""])
def test_per_mapped_field_the_policy_must_be_one_of_the_four(policy: str) -> None:
    assert set(Policy) == {
        "crm_wins",
        "local_wins",
        "merge_with_audit",
        "immutable_after_bind",
    }
    text = shipped()
    place = text.index('policy = "merge_with_audit"', text.index("[deal.fields.name]"))
    strategy = 'strategy = "newest"\n' if policy == "merge_with_audit" else ""
    rest = text[place:].partition('strategy = "newest"\n')[2]
    own = f'{text[:place]}policy = "{policy}"\n{strategy}{rest}'
    if policy in set(Policy):
        found = parse_mapping(own, name="own.toml").entities[Entity.DEAL].field("name")
        assert found is not None
        assert found.policy == policy
        return
    with pytest.raises(MappingError) as refused:
        parse_mapping(own, name="own.toml")
    assert any("policy" in one.message for one in refused.value.diagnostics)


def defaults(*paths: str) -> set[Policy]:
    """Give the policies that these fields have where nobody says otherwise."""
    unsaid = "\n".join(
        line for line in shipped().splitlines() if not line.startswith(("policy =", "strategy ="))
    )
    texts = [unsaid, *(mapping_text(vendor) for vendor in VENDORS)]
    mappings = [parse_mapping(text, name="own.toml") for text in texts]
    found: set[Policy] = {BY_PATH[path].policy for path in paths}
    for path in paths:
        entity, name = path.split(".")
        for mapping in mappings:
            field = mapping.entities[Entity(entity)].field(name)
            assert field is not None, path
            found.add(field.policy)
    return found


def test_ids_and_external_refs_default_to_immutable_after_bind() -> None:
    ids = ("account.id", "contact.id", "deal.id", "quote.id")
    assert defaults(*ids) == {Policy.IMMUTABLE_AFTER_BIND}
    with pytest.raises(MappingError, match="immutable_after_bind"):
        parse_mapping(
            shipped().replace('policy = "immutable_after_bind"', 'policy = "crm_wins"', 1),
            name="own.toml",
        )


def test_quote_financial_outputs_default_to_local_wins() -> None:
    assert defaults("quote.total", "quote.currency") == {Policy.LOCAL_WINS}
    text = shipped()
    place = text.index("[quote.fields.total]")
    own = text[:place] + text[place:].replace('policy = "local_wins"', 'policy = "crm_wins"', 1)
    with pytest.raises(MappingError, match="local_wins"):
        parse_mapping(own, name="own.toml")


def test_process_fields_default_to_crm_wins_unless_explicitly_locked(synced: World) -> None:
    assert defaults("deal.stage", "deal.close_date") == {Policy.CRM_WINS}
    locks.lock(desk_of(synced), "deal/D-1", "stage", duration="2d", reason="in talks")
    synced.crm.set("deal", "D-1", {"stage": "won", "close_date": "2026-12-31"})
    synced.sync()
    local = synced.deal("D-1").local
    assert (local["stage"], local["close_date"]) == ("prospecting", "2026-12-31")
    locks.unlock(desk_of(synced), "deal/D-1", "stage")
    synced.sync()
    assert synced.deal("D-1").local["stage"] == "won"
    assert synced.items() == ()
