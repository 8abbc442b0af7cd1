"""What people and misfortune do on the CRM's side."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta

from hypothesis import strategies as st
from hypothesis.stateful import rule

from quotey.contract.errors import UsageError
from tests.machine.stage import Stage
from tests.machine.told import MARKER

FAULTS = (
    "timeout_before",
    "timeout_after",
    "server_error",
    "rate_limited",
    "mapping_error",
    "partial_batch",
    "duplicate_page",
    "out_of_order",
)
OPERATIONS = (
    "sync_incremental",
    "read_records",
    "get_quote_marker",
    "write_quote",
    "create_deal",
    "update_deal",
    "update_account",
    "*",
)
NUMBER = st.integers(0, 7)
DEAL_FIELDS = ("name", "amount", "stage", "region", "account_id", "code")
STATES = st.sampled_from(["now", "now", "then", "soon"])


class CrmSide(Stage):
    """Edits, ends, markers and faults in the stub."""

    def _when(self, how: str) -> datetime | None:
        now = self.theatre.clock.now()
        return {"now": now, "then": None, "soon": now + timedelta(seconds=1)}[how]

    def _refs(self, entity: str) -> list[str]:
        return sorted(state.ref for state in self.theatre.crm.list(entity) if not state.deleted)

    @rule(number=NUMBER, field=st.sampled_from(DEAL_FIELDS), when=STATES, bad=NUMBER)
    def edit_deal_there(self, number: int, field: str, when: str, bad: int) -> None:
        """Somebody edits a deal in the CRM, now and then to something that breaks the contract."""
        self.change_deal_there(number, field, when, bad)

    def change_deal_there(self, number: int, field: str, when: str, bad: int) -> None:
        """Edit a deal in the CRM."""
        ref = self.one(self._refs("deal"), number)
        if ref is None:
            return
        value: str | None
        match field:
            case "account_id":
                value = "A-404" if bad == 7 else self.one(self._refs("account"), bad) or "A-404"
            case "amount":
                value = "not money" if bad == 7 else self.told.amount()
            case "name":
                value = None if bad == 7 else self.told.word()
            case "code":
                value = self.told.word() if bad == 7 else f"k{ref.removeprefix('D-')}"
            case _:
                value = self.told.word()
        self.theatre.crm.set("deal", ref, {field: value}, at=self._when(when))

    @rule(number=NUMBER, field=st.sampled_from(["name", "tag", "segment"]), when=STATES, bad=NUMBER)
    def edit_account_there(self, number: int, field: str, when: str, bad: int) -> None:
        """Somebody edits an account in the CRM."""
        ref = self.one(self._refs("account"), number)
        if ref is None:
            return
        words = ("SMB", "Mid-Market", "Enterprise")
        value = self.told.word()
        if field == "segment":
            value = "Unheard" if bad == 7 else words[bad % 3]
        self.theatre.crm.set("account", ref, {field: value}, at=self._when(when))

    @rule(number=NUMBER, when=STATES)
    def edit_contact_there(self, number: int, when: str) -> None:
        """Somebody edits a contact in the CRM."""
        ref = self.one(self._refs("contact"), number)
        if ref is not None:
            self.theatre.crm.set("contact", ref, {"title": self.told.word()}, at=self._when(when))

    @rule(number=NUMBER, entity=st.sampled_from(["deal", "deal", "account", "contact"]))
    def add_there(self, number: int, entity: str) -> None:
        """Somebody makes a record in the CRM."""
        fields: dict[str, str | None] = {"name": self.told.word()}
        if entity == "account":
            fields |= {"segment": "SMB", "tag": self.told.word()}
        if entity == "contact":
            fields = {"first_name": self.told.word(), "last_name": "x", "account_id": "A-1"}
        if entity == "deal":
            fields |= {
                "stage": self.told.word(),
                "amount": self.told.amount(),
                "currency": "EUR",
                "account_id": self.one([*self._refs("account"), "A-77"], number),
            }
        self.theatre.crm.add(entity, "", fields)

    @rule(number=NUMBER, entity=st.sampled_from(["deal", "deal", "account", "contact"]))
    def delete_there(self, number: int, entity: str) -> None:
        """Somebody deletes a record in the CRM."""
        ref = self.one(self._refs(entity), number)
        if ref is not None:
            self.theatre.crm.delete(entity, ref)

    @rule(number=NUMBER, other=NUMBER, entity=st.sampled_from(["deal", "deal", "account"]))
    def merge_there(self, number: int, other: int, entity: str) -> None:
        """Somebody merges two records in the CRM."""
        refs = self._refs(entity)
        loser, winner = self.one(refs, number), self.one(refs, other)
        if loser is not None and winner is not None and loser != winner:
            self.theatre.crm.merge(entity, loser, winner)

    @rule(number=NUMBER, entity=st.sampled_from(["deal", "account"]))
    def bring_back_there(self, number: int, entity: str) -> None:
        """Somebody brings a deleted record back in the CRM; none that we have another ref for."""
        left = self.refs_left(entity)
        gone = [
            state
            for state in self.theatre.crm.list(entity)
            if state.deleted and state.ref not in left
        ]
        state = self.one(sorted(gone, key=lambda one: one.ref), number)
        if state is not None:
            self.theatre.crm.set(entity, state.ref, {"name": self.told.word()})

    @rule(number=NUMBER, ours=st.booleans(), ahead=st.integers(1, 3))
    def leave_marker_there(self, number: int, ours: bool, ahead: int) -> None:
        """Another desk, or a copy of this one, writes a newer quote to a deal."""
        self.mark_there(number, ours=ours, ahead=ahead)

    def mark_there(self, number: int, *, ours: bool, ahead: int) -> None:
        """Write a marker by hand, newer than anything that was written from here."""
        ref = self.one(self._refs("deal"), number)
        if ref is None:
            return
        quotes = sorted(self.told.versions)
        mine = self.one(quotes, number)
        instance, quote_id, version = "inst_other", f"q_other{ahead}", ahead
        if ours and mine is not None:
            newest = max(version for quote, version in quotes if quote == mine[0])
            instance, quote_id, version = self.told.instance, mine[0], newest + ahead
        texts = (instance, quote_id, str(version), self.told.word())
        self.theatre.crm.set("deal", ref, dict(zip(MARKER, texts, strict=True)))

    @rule(
        kind=st.sampled_from(FAULTS),
        operation=st.sampled_from(OPERATIONS),
        times=st.integers(1, 3),
        after=st.integers(0, 2),
        retry_after=st.sampled_from([None, None, 5.0, 7200.0]),
    )
    def go_wrong(
        self, kind: str, operation: str, times: int, after: int, retry_after: float | None
    ) -> None:
        """Something will go wrong at the CRM's."""
        with suppress(UsageError):  # this kind of fault has no such detail
            self.theatre.crm.fail(
                kind, operation=operation, times=times, after=after, retry_after=retry_after
            )

    @rule(operation=st.sampled_from(OPERATIONS))
    def lose_authorisation(self, operation: str) -> None:
        """The CRM does not know us any more."""
        self.theatre.crm.fail("auth", operation=operation)
