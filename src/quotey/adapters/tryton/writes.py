"""Creating a deal once and updating it once: the key of each is left on the deal itself.

Tryton has no unique key of ours, so a deal is looked for before it is made: two processes that
create with one key in the very same moment may make two. Updates carry the server's own optimistic
lock, `_timestamp`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from quotey.adapters.tryton.marks import created, marked, marks_of, updated
from quotey.adapters.tryton.pages import Pages
from quotey.adapters.tryton.rpc import Rpc
from quotey.adapters.tryton.shape import Shape, id_of
from quotey.adapters.tryton.values import Doc
from quotey.adapters.tryton.written import (
    after_writing,
    moved_on,
    not_mapped,
    not_there,
    own_values,
)
from quotey.contract.adapter import Call
from quotey.contract.dto import RemoteWrite, Value
from quotey.contract.errors import ErrorClass, Outcome, RemoteFailure
from quotey.contract.fields import Entity
from quotey.contract.mapper import Mapper, write_fields
from quotey.contract.mapping import Mapping as CrmMapping
from quotey.contract.refusals import mapped, refusing

STATE = "state"
FIRST, NEXT = "lead", "opportunity"
"""The stages in which a deal may begin; the second is reached by its button."""


class Writes:
    """Writes deals of one database."""

    def __init__(
        self, rpc: Rpc, pages: Pages, shapes: Mapping[Entity, Shape], mapping: CrmMapping,
        mapper: Mapper,
    ) -> None:  # fmt: skip
        self._rpc = rpc
        self._pages = pages
        self._deal, self._account = shapes[Entity.DEAL], shapes[Entity.ACCOUNT]
        self._mapping = mapping
        self._mapper = mapper

    def create_deal(
        self, account: str, values: Mapping[str, Value], key: str, call: Call
    ) -> RemoteWrite:
        """Create a deal under its key, or find the one that the key already made."""
        given: dict[str, Value] = {**values, "account_id": account}
        with refusing("The deal was not created"):
            fields = write_fields(self._mapping, Entity.DEAL, given, creating=True)
        stage = str(fields.pop(STATE, FIRST))
        if stage not in (FIRST, NEXT):
            not_mapped(Entity.DEAL, "stage", f"cannot be {stage} in the beginning")
        mark = created(key)
        found = self._find(mark, call)
        made = found or self._make(account, fields, mark, call)
        # A deal that nobody has touched since is one whose creation was cut short.
        if stage == NEXT and made[STATE] == FIRST and made.get("write_date") is None:
            self._press(made, call)
        return self._read_back(str(made["id"]), given, call, created=not found)

    def update_deal(
        self, ref: str, updates: Mapping[str, Value], key: str, call: Call
    ) -> RemoteWrite:
        """Write only these fields, once for a key, which goes into the same request."""
        with refusing(f"deal {ref} was not updated"):
            fields = write_fields(self._mapping, Entity.DEAL, updates, creating=False)
        held = self.living(ref, call)
        mark, marks = updated(key), self._deal.marks
        if mark not in marks_of(held[marks]):
            own = own_values(self._rpc, self._mapping.entities[Entity.DEAL], fields, call)
            own[marks] = marked(held[marks], mark)
            self._write(held, own, call)
        return self._read_back(ref, updates, call)

    def living(self, ref: str, call: Call) -> Doc:
        """Read a deal that is about to be written. Raises RemoteFailure when it is not there."""
        number = id_of(ref)
        found = self._docs([["id", "=", number]], call) if number is not None else []
        if not found:
            raise not_there(Entity.DEAL, ref)
        return found[0]

    def _docs(self, where: list[object], call: Call) -> list[Doc]:
        fields = ["id", STATE, "party", "company", "write_date", "_timestamp", self._deal.marks]
        found: list[Doc] = self._rpc.call(
            self._deal.model, "search_read", where, 0, 2, [["id", "ASC"]], fields, call=call
        )
        return found

    def _find(self, mark: str, call: Call) -> Doc | None:
        found = self._docs([[self._deal.marks, "like", f"%[quotey %{mark}%]"]], call)
        if len(found) > 1:
            refs = ", ".join(str(one["id"]) for one in found)
            raise RemoteFailure(
                f"Several deals have this key: {refs}. Nothing was changed.",
                error_class=ErrorClass.CONFLICT,
            )
        return found[0] if found else None

    def _make(self, account: str, fields: dict[str, object], mark: str, call: Call) -> Doc:
        """Send it once. SQLite takes a party that is not there, so we look."""
        if not self._pages.records(self._account, (account,), call).records:
            raise not_there(Entity.ACCOUNT, account)
        own = own_values(self._rpc, self._mapping.entities[Entity.DEAL], fields, call)
        values = {**own, self._deal.marks: marked(None, mark)}
        made = self._rpc.call(self._deal.model, "create", [values], call=call)
        with after_writing(f"Deal {made[0]} was created"):
            return self.living(str(made[0]), call)

    def _press(self, deal: Doc, call: Call) -> None:
        """Move a new lead on."""
        with after_writing(f"Deal {deal['id']} was created"):
            self._rpc.call(
                self._deal.model, NEXT, [deal["id"]], call=call, **stamped(self._deal.model, deal)
            )

    def _write(self, deal: Doc, values: dict[str, object], call: Call) -> None:
        """Send an update. A deal that changed since our look is to be looked at again."""
        model = self._deal.model
        try:
            self._rpc.call(model, "write", [deal["id"]], values, call=call, **stamped(model, deal))
        except RemoteFailure as failure:
            if failure.error_class is not ErrorClass.CONFLICT:
                raise
            raise moved_on(f"Deal {deal['id']}", ErrorClass.TRANSIENT) from failure

    def _read_back(
        self, ref: str, names: Iterable[str], call: Call, *, created: bool = False
    ) -> RemoteWrite:
        """Read what Tryton made of it."""
        with after_writing(f"Deal {ref} was written"):
            records = self._pages.records(self._deal, (ref,), call).records
            if not records:
                raise not_there(Entity.DEAL, ref)
        values = mapped(self._mapper, Entity.DEAL, records[0], Outcome.APPLIED).values
        return RemoteWrite(
            crm_ref=ref,
            source_ts=records[0].source_ts,
            source_version=records[0].source_version,
            values={name: values[name] for name in names if name in values},
            created=created,
        )


def stamped(model: str, doc: Doc) -> dict[str, object]:
    """Give the context of the optimistic lock: refused when the record is no longer as we saw it.

    Source: measured; `ConcurrencyException` in an HTTP 200. On SQLite two writers may pass at once.
    """
    return {"_timestamp": {f"{model},{doc['id']}": doc["_timestamp"]}}
