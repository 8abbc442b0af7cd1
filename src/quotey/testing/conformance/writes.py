"""Writes of deals and accounts: one key, one effect; only what was asked for; all or nothing."""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from pathlib import Path

from quotey.contract.dto import RemoteWrite
from quotey.contract.errors import ErrorClass, Outcome, RemoteFailure
from quotey.contract.fields import Entity
from quotey.testing.conformance.pages import end_of, records
from quotey.testing.conformance.suite import Suite, not_offered
from quotey.testing.world import CALL, World, a_deal, an_account, deal_data, refusal, words_of


class WriteConformance(Suite):
    """What `create_deal`, `update_deal` and `update_account` promise (seed 2.1, 3.3, 8.3)."""

    def test_a_created_deal_can_be_read(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            account = an_account(world)
            made = _create(world, account)
            deal = world.adapter.get_deal(made.crm_ref, call=CALL)
            assert made.created
            assert deal is not None
            assert (deal.account_id, deal.name) == (account, "Created deal")
            assert deal.amount == Decimal("99.90")

    def test_what_was_written_is_read_back_in_canonical_text(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            made = _create(world, an_account(world))
            assert made.values["amount"] == "99.9"
            assert made.values["currency"] == words_of(world).currency
            assert made.source_version

    def test_the_same_key_makes_one_deal(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            account = an_account(world)
            cursor = end_of(world.adapter, Entity.DEAL)
            first, again = _create(world, account), _create(world, account)
            assert first.crm_ref == again.crm_ref
            assert len(records(world.adapter, Entity.DEAL, cursor)) == 1

    def test_a_key_is_known_to_every_process(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            account = an_account(world)
            first = _create(world, account)
            again = world.reopen().create_deal(account, deal_data(world), key="key_1", call=CALL)
            assert first.crm_ref == again.crm_ref

    def test_two_keys_make_two_deals(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            account = an_account(world)
            first, second = _create(world, account), _create(world, account, key="key_2")
            assert first.crm_ref != second.crm_ref

    def test_a_deal_of_an_unknown_account_is_refused(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            cursor = end_of(world.adapter, Entity.DEAL)
            failure = refusal(lambda: _create(world, "no-such-account"))
            assert failure.outcome is Outcome.NOT_APPLIED
            assert failure.error_class in (ErrorClass.PERMANENT, ErrorClass.MAPPING)
            assert records(world.adapter, Entity.DEAL, cursor) == []

    def test_a_deal_that_lacks_a_required_field_is_refused(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            account = an_account(world)
            cursor = end_of(world.adapter, Entity.DEAL)
            data = deal_data(world)
            del data["stage"]
            failure = refusal(
                lambda: world.adapter.create_deal(account, data, key="key_1", call=CALL)
            )
            _is_mapping(failure, "stage")
            assert records(world.adapter, Entity.DEAL, cursor) == []

    def test_an_update_writes_only_what_it_names(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            ref = a_deal(world)
            before = world.adapter.get_deal(ref, call=CALL)
            written = _update(world, ref, amount=Decimal(777))
            after = world.adapter.get_deal(ref, call=CALL)
            assert before is not None
            assert after is not None
            assert written.values == {"amount": "777"}
            assert after.amount == Decimal(777)
            assert (after.name, after.stage, after.close_date, after.currency) == (
                *(before.name, before.stage, before.close_date, before.currency),
            )

    def test_null_clears_a_field(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            ref = a_deal(world)
            written = _update(world, ref, amount=None)
            deal = world.adapter.get_deal(ref, call=CALL)
            assert deal is not None
            assert deal.amount is None
            assert written.values.get("amount") is None

    def test_an_update_with_the_same_key_has_one_effect(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            ref = a_deal(world)
            before = world.effects(Entity.DEAL, ref)
            first, again = (_update(world, ref, amount=Decimal(5)) for _ in range(2))
            assert (first.crm_ref, first.values) == (again.crm_ref, again.values)
            assert world.effects(Entity.DEAL, ref) == before + 1

    def test_a_late_repeat_does_not_undo_what_came_after(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            ref = a_deal(world)
            _update(world, ref, amount=Decimal(5))
            world.edit(Entity.DEAL, ref, {"amount": "6"})
            _update(world, ref, amount=Decimal(5))
            deal = world.adapter.get_deal(ref, call=CALL)
            assert deal is not None
            assert deal.amount == Decimal(6)

    def test_an_update_of_what_is_not_there_is_refused(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            gone = a_deal(world)
            world.delete(Entity.DEAL, gone)
            for ref in ("no-such-deal", gone):
                failure = refusal(partial(_update, world, ref, amount=Decimal(1)))
                assert failure.outcome is Outcome.NOT_APPLIED
                assert failure.error_class is ErrorClass.PERMANENT

    def test_a_write_to_a_merged_deal_never_passes_for_the_one_asked(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            loser, winner = a_deal(world), a_deal(world)
            survivor = world.merge(Entity.DEAL, loser, winner) or winner
            try:
                written = _update(world, loser, amount=Decimal(1))
            except RemoteFailure as failure:
                assert failure.outcome is Outcome.NOT_APPLIED
            else:
                assert written.crm_ref == survivor

    def test_a_required_field_cannot_be_cleared(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            ref = a_deal(world)
            _is_mapping(refusal(lambda: _update(world, ref, name=None)), "name")
            _unchanged(world, ref)

    def test_a_field_that_is_not_mapped_is_refused(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            ref = a_deal(world)
            _is_mapping(refusal(lambda: _update(world, ref, nonsense="1")), "nonsense")
            _unchanged(world, ref)

    def test_a_field_that_the_crm_owns_is_not_updated(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            ref = a_deal(world)
            field = world.mapping.entities[Entity.DEAL].field("stage")
            if field is None or field.flows_out:
                not_offered("this mapping lets the stage flow out")
            _is_mapping(
                refusal(lambda: _update(world, ref, stage=words_of(world).later_stage)), "stage"
            )
            _unchanged(world, ref)

    def test_an_account_is_updated_where_the_crm_can(self, tmp_path: Path) -> None:
        with self.world(tmp_path) as world:
            ref = an_account(world, segment="smb")

            def update() -> RemoteWrite:
                return world.adapter.update_account(
                    ref, {"segment": "enterprise"}, key="key_1", call=CALL
                )

            if not world.adapter.capabilities.updates_accounts:
                assert refusal(update).outcome is Outcome.NOT_APPLIED
                return
            assert update().values == {"segment": "enterprise"}
            found = world.adapter.lookup_account("Conformance Ltd", call=CALL)
            assert found[0].segment == "enterprise"


def _create(world: World, account: str, key: str = "key_1") -> RemoteWrite:
    return world.adapter.create_deal(account, deal_data(world), key=key, call=CALL)


def _update(world: World, ref: str, **updates: Decimal | str | None) -> RemoteWrite:
    return world.adapter.update_deal(ref, updates, key="key_update", call=CALL)


def _is_mapping(failure: RemoteFailure, field: str) -> None:
    assert failure.error_class is ErrorClass.MAPPING
    assert failure.outcome is Outcome.NOT_APPLIED
    assert field in [problem.field for problem in failure.diagnostics]


def _unchanged(world: World, ref: str) -> None:
    deal = world.adapter.get_deal(ref, call=CALL)
    assert deal is not None
    assert (deal.name, deal.stage) == ("Conformance deal", words_of(world).stage)
    assert world.effects(Entity.DEAL, ref) == 1
