"""What a real Tryton does that no simulator of ours was told, and how the adapter takes it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import date
from decimal import Decimal

import msgspec
import pytest

from quotey.contract.dto import Attachment, MarkerState
from quotey.contract.errors import ErrorClass, Outcome
from quotey.contract.fields import Entity
from quotey.contract.mapper import Mapped
from quotey.testing.conformance.pages import end_of, records
from quotey.testing.conformance.quotes import reading, write
from quotey.testing.world import (
    CALL,
    a_deal,
    a_summary,
    an_account,
    deal_data,
    marker_of,
    read,
    refusal,
)
from tests.e2e.hands import TrytonError, decimal
from tests.e2e.server import Tryton
from tests.e2e.world import TrytonWorld

pytestmark = pytest.mark.e2e

FILE = Attachment(ref="quotes/q_conformance-1.pdf", sha256="ab" * 32, bytes=5)


@pytest.fixture
def world(tryton: Tryton) -> Iterator[TrytonWorld]:
    """A world in which sales are moved to quotation, as they are by default."""
    with closing(TrytonWorld(tryton, quotation=True)) as made:
        yield made


def sale_of(world: TrytonWorld, deal: str) -> dict[str, object]:
    """Read the one sale of a deal."""
    fields = ["id", "state", "reference", "description", "untaxed_amount", "currency.code"]
    where = [["origin", "=", f"sale.opportunity,{deal}"]]
    found = world.hands("sale.sale.search_read", where, 0, None, None, fields)
    assert len(found) == 1
    sale: dict[str, object] = found[0]
    return sale


def deal_of(world: TrytonWorld, deal: str) -> dict[str, object]:
    found: dict[str, object] = world.hands(
        "sale.opportunity.read", [int(deal)], ["state", "amount", "description", "reference"]
    )[0]
    return found


def test_a_quote_becomes_a_real_sale_quotation_with_its_attachment(world: TrytonWorld) -> None:
    deal, summary = a_deal(world), a_summary()
    marker = marker_of(summary)
    written = world.adapter.write_quote(
        deal, summary, FILE, marker=marker, token=reading(world, deal).token, call=CALL
    )
    sale = sale_of(world, deal)
    assert written.values["attachment_ref"] == FILE.ref
    assert (sale["state"], sale["reference"], sale["description"]) == (
        *("quotation", "q_conformance", "Version 1"),
    )
    assert sale["untaxed_amount"] == decimal("1500.25")
    where = [["resource", "=", f"sale.sale,{sale['id']}"]]
    told = world.hands("ir.attachment.search_read", where, 0, None, None, ["name", "description"])
    assert [(one["name"], one["description"]) for one in told] == [
        (FILE.ref, f"sha256 {FILE.sha256}, 5 bytes")
    ]


def test_a_quotation_is_rewritten_in_place_and_is_a_quotation_again(world: TrytonWorld) -> None:
    deal = a_deal(world)
    write(world, deal, a_summary(version=1))
    first = sale_of(world, deal)["id"]
    later = msgspec.structs.replace(
        a_summary(version=2, total="9"), currency="USD", valid_until=date(2026, 12, 31)
    )
    written = write(world, deal, later)
    sale = sale_of(world, deal)
    assert (sale["id"], sale["state"], sale["description"]) == (first, "quotation", "Version 2")
    assert (written.values["total"], written.values["currency"]) == ("9", "USD")
    assert written.values["valid_until"] == "2026-12-31"


def test_a_quotation_turns_its_deal_read_only_and_a_later_edit_is_refused_for_good(
    world: TrytonWorld,
) -> None:
    deal = a_deal(world)
    write(world, deal, a_summary())
    assert deal_of(world, deal)["state"] == "converted"
    assert deal_of(world, deal)["amount"] == decimal("1500.25")
    failure = refusal(
        lambda: world.adapter.update_deal(deal, {"name": "Later"}, key="k", call=CALL)
    )
    assert failure.error_class is ErrorClass.PERMANENT
    assert failure.outcome is Outcome.NOT_APPLIED
    assert "not allowed to modify" in str(failure)
    assert deal_of(world, deal)["description"] == "Conformance deal"


def test_a_stale_write_is_refused_in_an_http_200(world: TrytonWorld) -> None:
    deal = a_deal(world)
    write(world, deal, a_summary(version=1))
    token = reading(world, deal).token
    write(world, deal, a_summary(version=2))
    failure = refusal(lambda: write(world, deal, a_summary(version=3), token))
    assert failure.error_class is ErrorClass.CONFLICT
    assert failure.outcome is Outcome.NOT_APPLIED
    found = reading(world, deal).marker
    assert found is not None
    assert found.version == 2


def test_the_servers_own_lock_refuses_a_timestamp_that_is_no_longer_so(world: TrytonWorld) -> None:
    deal = a_deal(world)
    stale = {"sale.opportunity," + deal: "12.5"}
    with pytest.raises(TrytonError) as refused:
        world.hands("sale.opportunity.write", [int(deal)], {"description": "x"}, _timestamp=stale)
    assert refused.value.kind == "ConcurrencyException"


def test_a_confirmed_sale_takes_no_newer_version(world: TrytonWorld) -> None:
    deal = a_deal(world)
    write(world, deal, a_summary(version=1))
    world.hands("sale.sale.cancel", [sale_of(world, deal)["id"]])
    failure = refusal(lambda: write(world, deal, a_summary(version=2)))
    assert failure.error_class is ErrorClass.PERMANENT
    assert failure.outcome is Outcome.NOT_APPLIED


@pytest.mark.parametrize("amount", ["1.234", "0.001"])
def test_an_amount_finer_than_its_currency_is_refused_by_a_rule(
    world: TrytonWorld, amount: str
) -> None:
    deal = a_deal(world)
    updates = {"amount": Decimal(amount)}
    failure = refusal(lambda: world.adapter.update_deal(deal, updates, key="k", call=CALL))
    assert failure.error_class is ErrorClass.PERMANENT
    assert failure.outcome is Outcome.NOT_APPLIED
    assert failure.diagnostics
    assert world.effects(Entity.DEAL, deal) == 1


def test_a_new_deal_may_begin_as_an_opportunity_and_nothing_further(world: TrytonWorld) -> None:
    account = an_account(world)
    data = deal_data(world, stage="opportunity")
    made = world.adapter.create_deal(account, data, key="k1", call=CALL)
    assert made.values["stage"] == "opportunity"
    failure = refusal(
        lambda: world.adapter.create_deal(
            account, deal_data(world, stage="won"), key="k2", call=CALL
        )
    )
    assert failure.error_class is ErrorClass.MAPPING
    assert [one.field for one in failure.diagnostics] == ["stage"]


def test_a_currency_that_tryton_does_not_have_is_refused(world: TrytonWorld) -> None:
    data = deal_data(world, currency="CHF")
    account = an_account(world)
    failure = refusal(lambda: world.adapter.create_deal(account, data, key="k", call=CALL))
    assert failure.error_class is ErrorClass.MAPPING
    assert records(world.adapter, Entity.DEAL) == []


def test_three_hundred_records_of_one_moment_are_all_met_once(world: TrytonWorld) -> None:
    made = world.hands("party.party.create", [{"name": f"Twin {n}"} for n in range(300)])
    met = [one.crm_ref for one in records(world.adapter, Entity.ACCOUNT, limit=100)]
    assert {str(one) for one in made} <= set(met)
    assert len(met) == len(set(met))


def test_a_new_web_site_does_not_touch_its_party_and_is_met_all_the_same(
    world: TrytonWorld,
) -> None:
    ref = an_account(world, "Late Site")
    cursor = end_of(world.adapter, Entity.ACCOUNT)
    stamp = world.hands("party.party.read", [int(ref)], ["_timestamp"])[0]["_timestamp"]
    site = {"party": int(ref), "type": "website", "value": "https://late.example"}
    world.hands("party.contact_mechanism.create", [site])
    again = world.hands("party.party.read", [int(ref)], ["_timestamp"])[0]["_timestamp"]
    assert stamp == again, "if Tryton touches the party now, the second lane can go"
    (met,) = records(world.adapter, Entity.ACCOUNT, cursor)
    found = read(world, Entity.ACCOUNT, met)
    assert isinstance(found, Mapped)
    assert found.values["domain"] == "late.example"


def test_a_deactivated_party_is_told_as_gone(world: TrytonWorld) -> None:
    ref = an_account(world, "Gone Ltd")
    cursor = end_of(world.adapter, Entity.ACCOUNT)
    world.hands("party.party.write", [int(ref)], {"active": False})
    (met,) = records(world.adapter, Entity.ACCOUNT, cursor)
    assert (met.crm_ref, met.deleted) == (ref, True)
    assert world.adapter.read_records(Entity.ACCOUNT, (ref,), call=CALL).records == ()


def test_a_party_that_was_replaced_by_another_is_told_as_merged(world: TrytonWorld) -> None:
    loser, winner = an_account(world, "Loser"), an_account(world, "Winner")
    cursor = end_of(world.adapter, Entity.ACCOUNT)
    world.merge(Entity.ACCOUNT, loser, winner)
    met = {one.crm_ref: one for one in records(world.adapter, Entity.ACCOUNT, cursor)}
    assert (met[loser].merged_into, met[loser].deleted) == (winner, False)
    assert world.adapter.read_records(Entity.ACCOUNT, (loser,), call=CALL).records == ()


def test_a_session_that_ran_out_is_renewed_and_nothing_is_sent_twice(world: TrytonWorld) -> None:
    deal = a_deal(world)
    world.adapter.get_deal(deal, call=CALL)
    world.between.log.clear()
    world.between.passed.clear()
    world.sql("delete from ir_session")
    world.adapter.update_deal(deal, {"name": "Renewed"}, key="k", call=CALL)
    assert world.between.log.count("common.db.login") == 1
    assert world.between.passed.count("model.sale.opportunity.write") == 1


def test_a_wrong_password_is_a_matter_of_authorisation(tryton: Tryton) -> None:
    from quotey.contract.secret import Secret

    with closing(TrytonWorld(tryton, password=Secret("wrong"))) as world:
        failure = refusal(lambda: world.adapter.get_deal("1", call=CALL))
        assert failure.error_class is ErrorClass.AUTH
        assert "wrong" not in str(failure)


def test_a_reference_that_a_person_wrote_stays_before_our_marks(world: TrytonWorld) -> None:
    deal = a_deal(world)
    world.hands("sale.opportunity.write", [int(deal)], {"reference": "PO 4711"})
    world.adapter.update_deal(deal, {"name": "Marked"}, key="k", call=CALL)
    assert str(deal_of(world, deal)["reference"]).startswith("PO 4711 [quotey u")


def test_two_sales_of_one_quote_are_for_a_person(world: TrytonWorld) -> None:
    deal = a_deal(world)
    write(world, deal, a_summary())
    world.hands("sale.sale.copy", [sale_of(world, deal)["id"]], {"reference": "q_conformance"})
    found = world.hands(
        "sale.sale.search_count", [["origin", "=", f"sale.opportunity,{deal}"]], 0, None
    )
    if found < 2:
        pytest.skip("this Tryton does not copy the origin of a sale")
    failure = refusal(lambda: reading(world, deal))
    assert failure.error_class is ErrorClass.CONFLICT


def test_a_long_answer_that_says_gzip_can_be_read(world: TrytonWorld) -> None:
    for number in range(30):
        an_account(world, f"A company with quite a long name, number {number}")
    page = world.adapter.sync_incremental(Entity.ACCOUNT, "", limit=100, call=CALL)
    assert len(page.records) == 32
    assert sum(len(one.payload) for one in page.records) > 1400


def test_a_slot_without_a_sale_is_empty(world: TrytonWorld) -> None:
    assert reading(world, "no-such-deal").state is MarkerState.NONE
