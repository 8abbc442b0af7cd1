"""Two writers on one quote marker over real HTTP (crm-semantics.md 3H, 3S)."""

import threading
from collections.abc import Callable

from quotey.testing.simulators.hubspot import HubSpotCore, Property
from quotey.testing.simulators.salesforce import Field, SalesforceCore, stale_version
from tests.simulators.test_hubspot_objects import DEALS, QUOTE_ID, make
from tests.simulators.test_salesforce_rows import BASE, OPPORTUNITIES, VERSION
from tests.simulators.wire_client import Answer, Client


def at_once(*writers: Callable[[], Answer]) -> list[Answer]:
    answers: list[Answer] = []
    start = threading.Barrier(len(writers))

    def run(writer: Callable[[], Answer]) -> None:
        start.wait()
        answers.append(writer())

    threads = [threading.Thread(target=run, args=(writer,)) for writer in writers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_one_vendor_lets_the_later_writer_win_but_its_history_tells(
    hs: Client, hubspot: HubSpotCore
) -> None:
    hubspot.define("deals", Property("quotey_version", "number", hubspot_defined=False))
    deal = make(hs, quotey_version="1")

    def write(version: str) -> Callable[[], Answer]:
        body = {"properties": {"quotey_version": version}}
        return lambda: hs.patch(f"{DEALS}/{deal}", body)

    assert [a.status for a in at_once(write("2"), write("3"))] == [200, 200]
    read = hs.get(f"{DEALS}/{deal}?propertiesWithHistory=quotey_version").doc
    versions = [e["value"] for e in read["propertiesWithHistory"]["quotey_version"]]
    assert sorted(versions) == ["1", "2", "3"]
    assert versions[-1] == "1"


def test_the_validation_rule_never_lets_the_version_fall(
    sf: Client, salesforce: SalesforceCore
) -> None:
    salesforce.define("Opportunity", VERSION)
    salesforce.validations.append(stale_version("Opportunity"))
    row_id = salesforce.create("Opportunity", {**BASE, "Quotey_Version__c": 1}).row_id
    for low in range(2, 40, 2):

        def write(version: int) -> Callable[[], Answer]:
            body = {"Quotey_Version__c": version}
            return lambda: sf.patch(f"{OPPORTUNITIES}/{row_id}", body)

        answers = at_once(write(low), write(low + 1))
        assert {a.status for a in answers} <= {204, 400}
        kept = salesforce.org.rows["Opportunity"][row_id].values["Quotey_Version__c"]
        assert kept == low + 1


def test_concurrent_creates_of_one_key_make_one_record(
    hs: Client, hubspot: HubSpotCore, sf: Client, salesforce: SalesforceCore
) -> None:
    hubspot.define("deals", QUOTE_ID)
    values = {"dealname": "X", "dealstage": "closedwon"}
    item = {"id": "Q-1", "idProperty": "quotey_quote_id", "properties": values}
    path = f"{DEALS}/batch/upsert"
    answers = at_once(*[lambda: hs.post(path, {"inputs": [item]})] * 4)
    assert sorted(a.doc["results"][0]["new"] for a in answers) == [False, False, False, True]
    salesforce.define("Opportunity", Field("Quotey_Id__c", external_id=True, unique=True))
    upsert = f"{OPPORTUNITIES}/Quotey_Id__c/Q-1"
    answers = at_once(*[lambda: sf.patch(upsert, BASE)] * 4)
    assert sorted(a.status for a in answers) == [200, 200, 200, 201]
