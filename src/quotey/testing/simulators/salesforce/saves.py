"""One save: fields, required ones, references, locks, rules, keys; then the commit.

The order is the vendor's order of execution (crm-semantics.md 3S).
"""

from collections.abc import Mapping
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from quotey.testing.simulators.salesforce.errors import (
    Fault,
    SalesforceError,
    duplicate_value,
    duplicates_detected,
    entity_deleted,
    locked,
    no_column,
    not_found,
    not_writable,
    refused,
    required_missing,
)
from quotey.testing.simulators.salesforce.rules import DuplicateRule, Save, ValidationRule
from quotey.testing.simulators.salesforce.schema import STAGES, Field, Value, Values, known_field
from quotey.testing.simulators.salesforce.store import Org, Row, stamped
from quotey.testing.simulators.salesforce.values import moment_text, stored

# 1S "Deleted/merged": deleting a parent deletes these in the same transaction.
_CASCADES = {
    "Account": (("Contact", "AccountId"), ("Opportunity", "AccountId")),
    "Opportunity": (("Quote", "OpportunityId"),),
}
# 3S "Locks": a child's write locks its parent too.
_LOCKED_PARENTS = frozenset({"AccountId", "OpportunityId"})


class Saver(Struct):
    """Carries saves out on one org."""

    org: Org
    validations: list[ValidationRule]
    duplicates: list[DuplicateRule]

    def create(
        self, sobject: str, incoming: Mapping[str, object], *, allow_duplicates: bool = False
    ) -> Row:
        """Store a new row.

        Raises:
            SalesforceError: when anything is refused; then nothing is stored.
        """
        fields = self.org.objects[sobject]
        given = self._given(sobject, incoming)
        values: dict[str, Value] = {
            f.name: f.default for f in fields.values() if f.writable and f.default is not None
        }
        values.update({name: value for name, value in given.items() if value is not None})
        absent = [f.name for f in fields.values() if f.required and values.get(f.name) is None]
        if absent:
            raise required_missing(absent)
        self._check_references(sobject, given)
        self._check_locks(None, values)
        values |= _derived(self.org, sobject, values, None)
        self._check_rules(sobject, values, None)
        self._check_duplicates(sobject, values, allow=allow_duplicates)
        self._check_keys(sobject, values, None)
        now = self.org.clock.now().replace(microsecond=0)
        row = Row(self.org.fresh_id(sobject), sobject, values, now, now, now)
        self.org.put(row)
        return row

    def update(self, row: Row, incoming: Mapping[str, object]) -> Row:
        """Store changed values; null clears. Every save moves the dates, equal values or not.

        Raises:
            SalesforceError: when anything is refused; then nothing is stored.
        """
        fields = self.org.objects[row.sobject]
        given = self._given(row.sobject, incoming)
        absent = [n for n, value in given.items() if value is None and fields[n].required]
        if absent:
            raise required_missing(absent)
        self._check_references(row.sobject, given)
        values = {**row.values, **given}
        self._check_locks(row, values)
        if row.values.get("HasOpportunityLineItem") is True and "Amount" in given:
            # 1S: "will be ignored. The update call will not be rejected".
            values["Amount"] = row.values.get("Amount")
        values |= _derived(self.org, row.sobject, values, row.values, given)
        self._check_rules(row.sobject, values, row.values)
        self._check_keys(row.sobject, values, row)
        kept = {name: value for name, value in values.items() if value is not None}
        changed = stamped(replace(row, values=kept), self.org.clock.now())
        self.org.put(changed)
        return changed

    def delete(self, row: Row) -> list[Row]:
        """Move a row and what hangs on it to the recycle bin; gives all of them."""
        self._check_locks(row, row.values)
        now = self.org.clock.now()
        gone = [stamped(replace(row, deleted_at=now), now)]
        self.org.put(gone[0])
        for sobject, reference in _CASCADES.get(row.sobject, ()):
            for child in list(self.org.rows.get(sobject, {}).values()):
                if child.deleted_at is None and child.values.get(reference) == row.row_id:
                    gone += self.delete(child)
        return gone

    def _given(self, sobject: str, incoming: Mapping[str, object]) -> dict[str, Value]:
        fields = self.org.objects[sobject]
        given: dict[str, Value] = {}
        closed: list[str] = []
        for name, raw in incoming.items():
            if name == "attributes":
                continue
            if name.lower() == "id":
                message = "The Id field should not be specified in the sobject data."
                raise refused("INVALID_FIELD", message, "Id")
            field = known_field(fields, name)
            if field is None:
                raise no_column(name, sobject)
            if not field.writable or field.formula is not None:
                closed.append(field.name)
            else:
                given[field.name] = self._stored(field, raw)
        if closed:
            raise not_writable(closed)
        return given

    def _stored(self, field: Field, raw: object) -> Value:
        value = stored(field, raw)
        currencies = self.org.settings.currencies
        if field.name == "CurrencyIsoCode" and value not in currencies:
            message = f"invalid currency ISO code: {value}"
            raise refused("INVALID_CURRENCY_ISO", message, field.name)
        return value

    def _check_references(self, sobject: str, given: Values) -> None:
        for name, value in given.items():
            target = self.org.objects[sobject][name].refers_to
            if target and isinstance(value, str) and self.org.living(target, value) is None:
                raise refused("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", name)

    def _check_locks(self, row: Row | None, values: Values) -> None:
        parents = [values[name] for name in _LOCKED_PARENTS if values.get(name)]
        wanted = [row.row_id if row else "", *map(str, parents)]
        held = [row_id for row_id in wanted if row_id in self.org.locks]
        if held:
            raise locked(held)

    def _check_rules(self, sobject: str, values: Values, prior: Values | None) -> None:
        save = Save(values, prior)
        code = "FIELD_CUSTOM_VALIDATION_EXCEPTION"
        broken = [
            Fault(code, rule.message, (rule.field,))
            for rule in self.validations
            if rule.active and rule.sobject == sobject and rule.forbids(save)
        ]
        if broken:
            raise SalesforceError(400, *broken)

    def _check_duplicates(self, sobject: str, values: Values, *, allow: bool) -> None:
        for rule in self.duplicates:
            # 3S: the header overrides only rules whose action is allow and alert.
            if rule.sobject != sobject or (allow and rule.alert):
                continue
            wanted = [_folded(values.get(name)) for name in rule.fields]
            matches = [
                row.row_id
                for row in self.org.rows[sobject].values()
                if row.deleted_at is None
                and all(wanted)
                and [_folded(row.values.get(name)) for name in rule.fields] == wanted
            ]
            if matches:
                fault = duplicates_detected(rule.name, sobject, matches, save=rule.alert)
                raise SalesforceError(400, fault)

    def _check_keys(self, sobject: str, values: Values, row: Row | None) -> None:
        for field in self.org.objects[sobject].values():
            value = values.get(field.name)
            if not field.unique or value is None:
                continue
            for holder in self.org.holders(sobject, field, value):
                if row is None or holder.row_id != row.row_id:
                    raise duplicate_value(field.name, holder.row_id)


def existing(org: Org, sobject: str, row_id: str | None) -> Row:
    """The living row of an id.

    Raises:
        SalesforceError: 404, ENTITY_IS_DELETED when it is in the bin.
    """
    row = org.find(sobject, row_id) if row_id else None
    if row is None:
        raise not_found()
    if row.deleted_at is not None:
        raise entity_deleted()
    return row


def _folded(value: Value) -> str:
    return str(value or "").strip().lower()


def _derived(
    org: Org, sobject: str, values: Values, prior: Values | None, given: Values | None = None
) -> dict[str, Value]:
    if sobject == "Contact":
        names = (values.get("FirstName"), values.get("LastName"))
        return {"Name": " ".join(str(name) for name in names if name)}
    if sobject == "Quote":
        parent = org.living("Opportunity", str(values.get("OpportunityId")))
        return {"AccountId": parent.values.get("AccountId") if parent else None}
    if sobject != "Opportunity":
        return {}
    stage = next((s for s in STAGES if s.label == values.get("StageName")), None)
    if stage is None or (prior is not None and prior.get("StageName") == stage.label):
        return {}
    asked = values if given is None else given
    # 1S: a new stage resets these unless they are given too.
    probability = asked.get("Probability")
    return {
        "IsClosed": stage.is_closed,
        "IsWon": stage.is_won,
        "LastStageChangeDate": moment_text(org.clock.now()),
        "ForecastCategoryName": asked.get("ForecastCategoryName") or stage.forecast,
        "Probability": Decimal(stage.probability) if probability is None else probability,
    }
