"""Deals: make one here, offline, and change the fields that flow out. Bound later, by sync."""

from __future__ import annotations

from collections.abc import Mapping as MappingOf

from quotey.contract.dto import Canonical, Value
from quotey.contract.errors import Diagnostic, Severity
from quotey.contract.fields import Entity, Need
from quotey.contract.journal import MirrorRecord
from quotey.contract.mapping import EntityMapping
from quotey.contract.values import is_blank
from quotey.desk import changing
from quotey.desk.ports import DeskPorts, problem
from quotey.desk.quotes import default_currency
from quotey.desk.record_checks import NEVER_SET, Changes, checked
from quotey.desk.record_writes import RecordAnswer, note_record, queue_create
from quotey.desk.references import find

_NOT_CREATED = "The deal was not created"


def create(desk: DeskPorts, account_id: str, values: MappingOf[str, Value]) -> RecordAnswer:
    """Make a deal of an account here, at once, and queue its creation in the CRM.

    `values` are contract fields (name, stage, amount, close_date, currency, x_…); null and blank
    are left out. Without a currency it gets the connection's default, with a diagnostic. The
    creation waits (`held`) while the account itself is not in the CRM.
    Raises `UsageError` with every problem, `NotFoundError`,
    `RefusedError` when the account is gone.
    """
    with desk.store.transaction("deal.create"):
        account = find(desk, Entity.ACCOUNT, account_id)
        changing.refuse_gone(account)
        given, notes = _with_currency(desk, account.connection, values)
        fields = _checked(desk, account.connection, given, account.id)
        deal = _deal(desk, account, fields)
        desk.store.records.put_many([deal])
        bound = desk.store.records.ref_of(Entity.ACCOUNT, account.id) is not None
        operation = queue_create(desk, deal, parent_bound=bound)
        note_record(desk, "deal.created", deal, None, deal.local, operation=operation)
        return RecordAnswer(record=deal, operation_id=operation, diagnostics=notes)


def update(desk: DeskPorts, deal_id: str, values: MappingOf[str, Value]) -> RecordAnswer:
    """Change fields of a deal that flow out (name, amount, x_…); see `changing.update`."""
    return changing.update(desk, Entity.DEAL, deal_id, values)


def _with_currency(
    desk: DeskPorts, connection: str, values: MappingOf[str, Value]
) -> tuple[dict[str, Value], tuple[Diagnostic, ...]]:
    given: dict[str, Value] = {
        name: value for name, value in values.items() if value is not None and not is_blank(value)
    }
    code = default_currency(desk, connection)
    mapped = desk.mapping_of(connection).entities[Entity.DEAL].field("currency")
    if given.get("currency") or code is None or mapped is None:
        return given, ()
    note = Diagnostic(
        code="default_currency",
        severity=Severity.NOTE,
        entity=Entity.DEAL,
        field="currency",
        message=f"No currency was given; {code} is the connection's default.",
    )
    given["currency"] = code
    return given, (note,)


def _checked(
    desk: DeskPorts, connection: str, given: dict[str, Value], account_id: str
) -> Canonical:
    """Check fields and completeness together, so that all problems are told at once."""
    mapping = desk.mapping_of(connection)
    currency = given.get("currency")
    missing = _missing(mapping.entities[Entity.DEAL], given)
    changes = Changes(
        mapping=mapping,
        entity=Entity.DEAL,
        asked=given,
        currency=currency if isinstance(currency, str) else None,
        creating=True,
    )
    return checked(changes, _NOT_CREATED, also=missing, known={"account_id": account_id})


def _missing(mapping: EntityMapping, given: dict[str, Value]) -> tuple[Diagnostic, ...]:
    return tuple(
        problem("missing", Entity.DEAL, field.name, "a deal needs it")
        for field in mapping.fields
        if field.need == Need.REQUIRED and field.name not in NEVER_SET and field.name not in given
    )


def _deal(desk: DeskPorts, account: MirrorRecord, fields: Canonical) -> MirrorRecord:
    """Give the deal as it stands before the CRM knows of it: no ref and no base."""
    return MirrorRecord(
        connection=account.connection,
        entity=Entity.DEAL,
        id=desk.ids("deal"),
        crm_ref=None,
        local={"account_id": account.id, **fields},
        base={},
        local_ts=dict.fromkeys(fields, desk.now()),
    )
