"""The records of one simulated vendor, as its people change them and as its own store has them.

A change may be seen late: in a portal because the search index lags, in an org because the
transaction commits late. Nothing here knows the reader.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple, Protocol

from msgspec.structs import replace

from quotey.testing.simulators.hubspot import HubSpotCore
from quotey.testing.simulators.salesforce import SalesforceCore
from quotey.testing.simulators.salesforce.schema import Value

STAGE = "proposal"
CLOSES = "2026-09-30"
SOON = (1.0, 600.0)
"""Seconds until a change can be seen, within what the overlap covers."""
TOO_LATE = (1_900.0, 2_400.0)
"""Seconds until a change can be seen that no window will show any more."""


class Truth(NamedTuple):
    """One living record as the vendor's own store has it; `parent` is its account's ref."""

    name: str
    amount: Decimal | None
    parent: str


class Store(Protocol):
    """What people do to one vendor's records."""

    def account(self, name: str) -> str:
        """Make an account; gives its ref."""

    def deal(self, name: str, amount: int, account: str, late: float = 0) -> str:
        """Make a deal that can be seen after `late` seconds."""

    def edit(self, ref: str, name: str, amount: int, late: float) -> None:
        """Change a deal; the change can be seen after `late` seconds."""

    def archive(self, ref: str) -> None:
        """Delete a deal into the bin."""

    def restore(self, ref: str) -> None:
        """Take a deal out of the bin again."""

    def purge(self, ref: str) -> None:
        """Delete a deal for ever."""

    def truth(self) -> Iterator[tuple[str, str, Truth]]:
        """Give entity, ref and values of everything that lives, from the store itself."""


class Portal:
    """The records of a portal. A change is in the store at once, and in the search index late."""

    def __init__(self, core: HubSpotCore) -> None:
        self.core = core
        core.gate.enforced = False

    def account(self, name: str) -> str:
        """Make an account."""
        return str(self.core.create("companies", {"name": name}, visible=True).record_id)

    def deal(self, name: str, amount: int, account: str, late: float = 0) -> str:
        """Make a deal."""
        values = {"dealname": name, "dealstage": STAGE, "amount": f"{amount}.50"}
        self._lag(late)
        made = self.core.create("deals", values, visible=not late)
        self.core.link(made, self.core.portal.records["companies"][int(account)], 5)
        return str(made.record_id)

    def edit(self, ref: str, name: str, amount: int, late: float) -> None:
        """Change a deal."""
        self._lag(late)
        self.core.edit("deals", int(ref), {"dealname": name, "amount": f"{amount}.50"})

    def archive(self, ref: str) -> None:
        """Delete a deal into the bin."""
        self.core.portal.archive(self.core.portal.records["deals"][int(ref)])

    def restore(self, ref: str) -> None:
        """Take a deal out of the bin again; its stamp does not move (2H)."""
        self.core.portal.restore(self.core.portal.records["deals"][int(ref)])

    def purge(self, ref: str) -> None:
        """Delete a deal for ever."""
        self.core.portal.purge(self.core.portal.records["deals"][int(ref)])

    def truth(self) -> Iterator[tuple[str, str, Truth]]:
        """Give everything that lives."""
        for record in self.core.portal.records["companies"].values():
            yield "account", str(record.record_id), Truth(record.properties["name"], None, "")
        for record in self.core.portal.records["deals"].values():
            if record.archived_at is None:
                held = record.properties
                [company] = self.core.links.of("deals", record.record_id, "companies")
                told = Truth(held["dealname"], Decimal(held["amount"]), str(company))
                yield "deal", str(record.record_id), told

    def _lag(self, late: float) -> None:
        """Set the lag of the next change; what is seen too late is not touched by automation."""
        touched = (0.0, 0.0) if late >= TOO_LATE[0] else (0.2, 0.5)
        self.core.portal.settings = replace(
            self.core.portal.settings, index_lag=(late, late), touch_delay=touched
        )


class Org:
    """The records of an org. A late change is stamped now, and nobody sees it before it commits."""

    def __init__(self, core: SalesforceCore) -> None:
        self.core = core

    def account(self, name: str) -> str:
        """Make an account."""
        return self.core.create("Account", {"Name": name}).row_id

    def deal(self, name: str, amount: int, account: str, late: float = 0) -> str:
        """Make a deal."""
        values: dict[str, Value] = {
            "Name": name,
            "StageName": STAGE,
            "CloseDate": CLOSES,
            "Amount": Decimal(f"{amount}.50"),
            "AccountId": account,
        }
        if late:
            return self.core.create_late("Opportunity", values, late)
        return self.core.create("Opportunity", values).row_id

    def edit(self, ref: str, name: str, amount: int, late: float) -> None:
        """Change a deal."""
        self.core.write_late(ref, {"Name": name, "Amount": Decimal(f"{amount}.50")}, late)

    def archive(self, ref: str) -> None:
        """Delete a deal into the bin."""
        self.core.delete(ref)

    def restore(self, ref: str) -> None:
        """Take a deal out of the bin again; SystemModstamp moves (1S)."""
        self.core.undelete(ref)

    def purge(self, ref: str) -> None:
        """Delete a deal for ever."""
        self.core.delete(ref)
        self.core.purge(ref)

    def truth(self) -> Iterator[tuple[str, str, Truth]]:
        """Give everything that lives."""
        for row in self.core.org.rows["Account"].values():
            yield "account", row.row_id, Truth(str(row.values["Name"]), None, "")
        for row in self.core.org.rows["Opportunity"].values():
            if row.deleted_at is None:
                held = row.values
                amount = Decimal(str(held["Amount"]))
                told = Truth(str(held["Name"]), amount, str(held["AccountId"]))
                yield "deal", row.row_id, told
