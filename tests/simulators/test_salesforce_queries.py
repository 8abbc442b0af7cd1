"""Queries and change feeds over real HTTP (crm-semantics.md 2S)."""

# ruff: noqa: S608 - the queries go to a simulator, not to a database

from decimal import Decimal
from urllib.parse import quote

import pytest

from quotey.testing.simulators.clock import VirtualClock
from quotey.testing.simulators.salesforce import SalesforceCore, SalesforceSettings
from quotey.testing.simulators.salesforce.ids import order
from quotey.testing.simulators.server import serve
from tests.simulators.test_salesforce_rows import API, BASE, code
from tests.simulators.wire_client import Client


def query(sf: Client, text: str, which: str = "query") -> list[dict[str, object]]:
    answer = sf.get(f"{API}/{which}?q={quote(text)}")
    assert answer.status == 200, answer.doc
    return list(answer.doc["records"])


def names(sf: Client, where: str) -> list[object]:
    return [r["Name"] for r in query(sf, f"SELECT Name FROM Opportunity {where}")]


@pytest.fixture
def four(salesforce: SalesforceCore, clock: VirtualClock) -> list[str]:
    account = salesforce.create("Account", {"Name": "Acme", "Website": "acme.com"}).row_id
    rows: list[dict[str, object]] = [
        {"Name": "Apple", "Amount": 9, "AccountId": account, "CloseDate": "2026-04-01"},
        {"Name": "banana", "Amount": 10, "CloseDate": "2026-05-01"},
        {"Name": "Cherry's 100%", "StageName": "Closed Won"},
        {"Name": "date_plum", "Amount": 11, "Description": "a\\b"},
    ]
    made = []
    for row in rows:
        made.append(salesforce.create("Opportunity", {**BASE, **row}).row_id)
        clock.advance(60)
    return made


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("WHERE Amount > 9", ["banana", "date_plum"]),
        ("WHERE Amount >= 9.0 AND Amount <= 10", ["Apple", "banana"]),
        ("WHERE Amount = null", ["Cherry's 100%"]),
        ("WHERE Amount != null AND Amount < 10", ["Apple"]),
        ("WHERE Amount <> 9", ["banana", "Cherry's 100%", "date_plum"]),
        ("WHERE Name = 'APPLE'", ["Apple"]),
        (r"WHERE Name = 'Cherry\'s 100%'", ["Cherry's 100%"]),
        (r"WHERE Description = 'a\\b'", ["date_plum"]),
        ("WHERE Name LIKE '%AN%'", ["banana"]),
        (r"WHERE Name LIKE '%\%'", ["Cherry's 100%"]),
        (r"WHERE Name LIKE '%\_%'", ["date_plum"]),
        ("WHERE Name LIKE '_pple'", ["Apple"]),
        ("WHERE Name IN ('apple', 'banana')", ["Apple", "banana"]),
        ("WHERE Name NOT IN ('apple', 'banana')", ["Cherry's 100%", "date_plum"]),
        ("WHERE IsWon = TRUE", ["Cherry's 100%"]),
        ("WHERE NOT (IsWon = true OR Amount = 9)", ["banana", "date_plum"]),
        ("WHERE CloseDate > 2026-04-01", ["banana"]),
        ("WHERE SystemModstamp >= 2026-03-10T12:01:00Z AND Amount > 10", ["date_plum"]),
        ("WHERE Account.Name = 'acme'", ["Apple"]),
        ("ORDER BY Amount DESC NULLS LAST LIMIT 2", ["date_plum", "banana"]),
        ("ORDER BY Amount", ["Cherry's 100%", "Apple", "banana", "date_plum"]),
        ("ORDER BY Name ASC LIMIT 2 OFFSET 1", ["banana", "Cherry's 100%"]),
        ("ORDER BY IsWon DESC, Amount DESC LIMIT 2", ["Cherry's 100%", "date_plum"]),
    ],
)
def test_conditions_and_orders(sf: Client, four: list[str], where: str, found: list[str]) -> None:
    assert names(sf, where) == found


def test_a_row_has_attributes_and_its_parent_as_an_object(sf: Client, four: list[str]) -> None:
    row = query(sf, "SELECT Id, Amount, Account.Website FROM Opportunity ORDER BY Id LIMIT 1")[0]
    url = f"/services/data/v67.0/sobjects/Opportunity/{four[0]}"
    assert row["attributes"] == {"type": "Opportunity", "url": url}
    assert row["Amount"] == Decimal("9.0")
    assert row["Account"] == {"attributes": {"type": "Account"}, "Website": "acme.com"}


def test_count_has_a_total_and_no_records(sf: Client, four: list[str]) -> None:
    answer = sf.get(f"{API}/query?q=SELECT+COUNT()+FROM+Opportunity").doc
    assert answer == {"totalSize": 4, "done": True, "records": []}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT Foo FROM Account", "INVALID_FIELD"),
        ("SELECT Id FROM Opportunity WHERE Foo = 1", "INVALID_FIELD"),
        ("SELECT Id FROM Opportunity ORDER BY Foo", "INVALID_FIELD"),
        ("SELECT Boss.Name FROM Opportunity", "INVALID_FIELD"),
        ("SELECT Account.Foo FROM Opportunity", "INVALID_FIELD"),
        ("SELECT Id FROM Spaceship", "INVALID_TYPE"),
        ("SELECT Id FROM Opportunity WHERE Amount = '9'", "INVALID_FIELD"),
        ("SELECT Id FROM Opportunity WHERE Name = 9", "INVALID_FIELD"),
        ("SELECT Id FROM Opportunity WHERE CloseDate = '2026-04-01'", "INVALID_FIELD"),
        ("SELECT Id FROM Opportunity WHERE SystemModstamp > 2026-04-01", "INVALID_FIELD"),
        ("SELECT Id FROM Opportunity WHERE Amount LIKE 9", "INVALID_FIELD"),
        ("SELECT FROM Opportunity", "MALFORMED_QUERY"),
        ("SELECT Id FROM Opportunity WHERE", "MALFORMED_QUERY"),
        (
            "SELECT Id FROM Opportunity WHERE Name = 'x' AND Amount = 1 OR Amount = 2",
            "MALFORMED_QUERY",
        ),
        ("SELECT Id FROM Opportunity WHERE Name = 'it's'", "MALFORMED_QUERY"),
        ("SELECT Id FROM Opportunity WHERE Name ! 'x'", "MALFORMED_QUERY"),
        ("SELECT Id FROM Opportunity LIMIT many", "MALFORMED_QUERY"),
        ("UPDATE Opportunity", "MALFORMED_QUERY"),
        (f"SELECT Id FROM Opportunity WHERE Name = '{'x' * 4001}'", "MALFORMED_QUERY"),
    ],
)
def test_what_a_query_refuses(sf: Client, text: str, expected: str) -> None:
    assert code(sf.get(f"{API}/query?q={quote(text)}")) == expected


def test_an_unknown_column_is_pointed_at(sf: Client) -> None:
    message = sf.get(f"{API}/query?q=SELECT+Foo+FROM+Account").doc[0]["message"]
    expected = "\nSELECT Foo FROM Account\n       ^\nERROR at Row:1:Column:8\n"
    assert message.startswith(expected + "No such column 'Foo' on entity 'Account'.")


def test_deleted_rows_are_seen_by_query_all_only(
    sf: Client, salesforce: SalesforceCore, four: list[str]
) -> None:
    salesforce.delete(four[0])
    text = "SELECT Id FROM Opportunity WHERE IsDeleted = TRUE"
    assert query(sf, text) == []
    assert [r["Id"] for r in query(sf, text, "queryAll")] == four[:1]
    salesforce.purge(four[0])
    assert query(sf, text, "queryAll") == []


def test_a_merged_account_names_its_master_and_its_children_move(
    sf: Client, salesforce: SalesforceCore, clock: VirtualClock, four: list[str]
) -> None:
    winner = salesforce.create("Account", {"Name": "Winner"}).row_id
    loser = str(query(sf, "SELECT AccountId FROM Opportunity WHERE Name = 'Apple'")[0]["AccountId"])
    clock.advance(60)
    salesforce.merge(winner, loser)
    text = f"SELECT IsDeleted, MasterRecordId FROM Account WHERE Id = '{loser[:15]}'"
    gone = query(sf, text, "queryAll")[0]
    assert (gone["IsDeleted"], gone["MasterRecordId"]) == (True, winner)
    text = "SELECT AccountId, SystemModstamp FROM Opportunity WHERE Name = 'Apple'"
    child = query(sf, text)[0]
    assert child["AccountId"] == winner
    assert child["SystemModstamp"] == "2026-03-10T12:05:00.000+0000"


def test_rows_of_one_second_share_one_stamp(sf: Client, salesforce: SalesforceCore) -> None:
    for number in range(5):
        salesforce.create("Account", {"Name": f"A{number}"})
    stamps = {r["SystemModstamp"] for r in query(sf, "SELECT SystemModstamp FROM Account")}
    assert len(stamps) == 1


def test_a_late_commit_appears_below_the_cursor(
    sf: Client, salesforce: SalesforceCore, clock: VirtualClock
) -> None:
    late = salesforce.create_late("Account", {"Name": "Late"}, seconds=300)
    clock.advance(60)
    salesforce.create("Account", {"Name": "Early"})
    text = "SELECT Name FROM Account ORDER BY SystemModstamp"
    assert [r["Name"] for r in query(sf, text)] == ["Early"]
    window = "start=2026-03-10T11:00:00Z&end=2026-03-10T13:00:00Z"
    feed = sf.get(f"{API}/sobjects/Account/updated/?{window}").doc
    assert feed["latestDateCovered"] == "2026-03-10T12:00:00.000+0000"
    clock.advance(240)
    assert [r["Name"] for r in query(sf, text)] == ["Late", "Early"]
    feed = sf.get(f"{API}/sobjects/Account/updated/?{window}").doc
    assert late in feed["ids"]
    assert feed["latestDateCovered"] == "2026-03-10T12:05:00.000+0000"


def test_a_row_in_a_long_transaction_is_locked(
    sf: Client, salesforce: SalesforceCore, clock: VirtualClock
) -> None:
    account = salesforce.create("Account", {"Name": "Acme"}).row_id
    salesforce.write_late(account, {"Name": "Later"}, seconds=30)
    path = f"{API}/sobjects/Account/{account}"
    assert code(sf.patch(path, {"Name": "Mine"})) == "UNABLE_TO_LOCK_ROW"
    assert sf.get(path).doc["Name"] == "Acme"
    clock.advance(30)
    assert sf.get(path).doc["Name"] == "Later"
    assert sf.patch(path, {"Name": "Mine"}).status == 204


def test_deletes_have_a_feed_of_their_own_with_limits(
    sf: Client, salesforce: SalesforceCore, clock: VirtualClock
) -> None:
    account = salesforce.create("Account", {"Name": "Acme"}).row_id
    salesforce.delete(account)
    window = "start=2026-03-10T11:00:00Z&end=2026-03-10T13:00:00Z"
    feed = sf.get(f"{API}/sobjects/Account/deleted/?{window}").doc
    assert [r["id"] for r in feed["deletedRecords"]] == [account]
    # 1S: emptied out of the bin, it is told here and nowhere else.
    salesforce.purge(account)
    assert sf.get(f"{API}/sobjects/Account/deleted/?{window}").doc == feed
    clock.advance(16 * 86_400)
    refused = sf.get(f"{API}/sobjects/Account/deleted/?{window}")
    assert code(refused) == "INVALID_REPLICATION_DATE"
    for start, end in (("x", "y"), ("2026-03-26T12:00:10Z", "2026-03-26T12:00:50Z")):
        refused = sf.get(f"{API}/sobjects/Account/updated/?start={start}&end={end}")
        assert code(refused) == "INVALID_REPLICATION_DATE"


def test_pages_follow_a_locator_over_a_snapshot_of_ids(clock: VirtualClock) -> None:
    core = SalesforceCore(clock, settings=SalesforceSettings(page=3))
    rows = [core.create("Account", {"Name": f"A{n}"}).row_id for n in range(7)]
    with serve(core) as base:
        sf = Client(base, {"authorization": f"Bearer {core.issue_token(seconds=None)}"})
        first = sf.get(f"{API}/query?q=SELECT+Id,Name+FROM+Account").doc
        assert (first["totalSize"], first["done"], len(first["records"])) == (7, False, 3)
        core.edit(rows[3], {"Name": "edited meanwhile"})
        core.create("Account", {"Name": "not in the snapshot"})
        second = sf.get(first["nextRecordsUrl"]).doc
        assert second["records"][0]["Name"] == "edited meanwhile"
        third = sf.get(second["nextRecordsUrl"]).doc
        assert third["done"] is True
        assert "nextRecordsUrl" not in third
        pages = (first, second, third)
        assert [r["Id"] for page in pages for r in page["records"]] == rows
        clock.advance(49 * 3600)
        assert code(sf.get(first["nextRecordsUrl"])) == "INVALID_QUERY_LOCATOR"


def test_the_order_of_ids_is_the_databases_own(clock: VirtualClock) -> None:
    core = SalesforceCore(clock)
    rows = [core.create("Account", {"Name": f"A{n}"}).row_id for n in range(80)]
    assert rows != sorted(rows)
    assert rows == sorted(rows, key=order)
    with serve(core) as base:
        sf = Client(base, {"authorization": f"Bearer {core.issue_token()}"})
        seen: list[str] = []
        last = "000000000000000"
        while True:
            text = f"SELECT Id FROM Account WHERE Id > '{last}' ORDER BY Id LIMIT 30"
            page = [str(r["Id"]) for r in query(sf, text)]
            if not page:
                break
            seen += page
            last = page[-1]
        assert seen == rows


def test_record_counts_and_stages_are_there(sf: Client, salesforce: SalesforceCore) -> None:
    salesforce.create("Account", {"Name": "Acme"})
    counts = sf.get(f"{API}/limits/recordCount?sObjects=Account").doc["sObjects"]
    assert counts == [{"name": "Account", "count": 1}]
    stages = query(sf, "SELECT ApiName FROM OpportunityStage WHERE IsWon = TRUE")
    assert [s["ApiName"] for s in stages] == ["Closed Won"]
