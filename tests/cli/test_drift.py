"""Mapping drift at the command line, offline: seen by doctor, told everywhere, gone once mended."""

from __future__ import annotations

from tests.cli.terminal import Terminal

SAID = "deal.amount is not written"


def test_a_parked_field_is_told_everywhere_and_let_go(synced: Terminal) -> None:
    assert synced("crm", "doctor").code == 0
    open_before = synced.json("crm", "status")["open"]
    defined = synced("crm", "stub", "define", "deal.amount", "--read-only")
    assert "deal.amount is type money, read only." in defined.out
    looked = synced("crm", "doctor")
    assert looked.code == 3
    assert "Parked: deal.amount." in looked.out
    assert SAID in synced("crm", "status").out
    assert [one["field"] for one in synced.json("crm", "status")["parked"]] == ["amount"]
    assert SAID in synced("crm", "plan").out
    explained = synced("crm", "explain", "deal/D-1001", "amount")
    assert SAID in explained.out
    synced("crm", "deal", "update", "D-1001", "amount=4321", "name=Renamed")
    assert SAID in synced("crm", "sync").out
    there = synced.json("crm", "stub", "show", "deal/D-1001")["payload"]
    assert (there["name"], str(there["amount"])) != ("Renamed", "4321")
    [item] = [
        one
        for one in synced.json("crm", "reconcile", "list", "--each")["items"]
        if one["field_name"] == "amount" and one["entity_id"] == "*"
    ]
    shown = synced("crm", "reconcile", "show", item["id"])
    assert shown.code == 0
    assert SAID in shown.out
    refused = synced("crm", "reconcile", "apply", item["id"], "--policy", "crm_wins")
    assert refused.code == 3
    assert "quotey crm doctor" in refused.out + refused.err
    assert synced("crm", "stub", "define", "deal.amount", "--restore").code == 0
    assert synced("crm", "doctor").code == 0
    synced("crm", "sync")
    there = synced.json("crm", "stub", "show", "deal/D-1001")["payload"]
    assert str(there["amount"]) == "4321"
    assert synced.json("crm", "status")["open"] == open_before
    assert synced.json("crm", "status")["parked"] == []


def test_a_definition_says_one_thing_or_restores(synced: Terminal) -> None:
    assert synced("crm", "stub", "define", "deal.amount").code == 2
    assert synced("crm", "stub", "define", "deal.amount", "--gone", "--restore").code == 2
    unknown = synced("crm", "stub", "define", "deal.amont", "--gone")
    assert unknown.code == 2
    assert "amount" in unknown.err
    assert synced("crm", "doctor").code == 0


def test_a_reset_restores_the_definitions(synced: Terminal) -> None:
    synced("crm", "stub", "define", "deal.amount", "--gone")
    synced("crm", "stub", "reset")
    assert synced("crm", "doctor").code == 0
