"""What the vendor says when it refuses.

Source: crm-semantics.md 4S: an array at the top level, `statusCode` instead of `errorCode` inside
collections.
"""

from collections.abc import Sequence

from msgspec import Struct

from quotey.testing.simulators.exchange import Doc, Response, answer


class Fault(Struct, frozen=True):
    """One entry of a refusal."""

    code: str
    message: str
    fields: tuple[str, ...] | None = None
    more: tuple[tuple[str, object], ...] = ()

    def top(self) -> Doc:
        """The entry at the top level."""
        fields = {} if self.fields is None else {"fields": list(self.fields)}
        return {"message": self.message, "errorCode": self.code, **fields, **dict(self.more)}

    def item(self) -> Doc:
        """The entry inside a collection's result."""
        doc = {"statusCode": self.code, "message": self.message, "fields": list(self.fields or ())}
        return {**doc, **dict(self.more)}


class SalesforceError(Exception):
    """A refusal with one entry or more."""

    def __init__(self, status: int, *faults: Fault) -> None:
        super().__init__("; ".join(f"{f.code}: {f.message}" for f in faults))
        self.status = status
        self.faults = faults

    def response(self) -> Response:
        """The answer on the wire."""
        return answer(self.status, [fault.top() for fault in self.faults])

    def items(self) -> list[Doc]:
        """The entries of a collection's result."""
        return [fault.item() for fault in self.faults]


def refused(code: str, message: str, *fields: str, status: int = 400) -> SalesforceError:
    """Make the usual refusal: one entry, `fields` always there."""
    return SalesforceError(status, Fault(code, message, tuple(fields)))


def not_found(message: str = "The requested resource does not exist") -> SalesforceError:
    """404 of what was never there."""
    return SalesforceError(404, Fault("NOT_FOUND", message))


def entity_deleted() -> SalesforceError:
    """404 of what is in the recycle bin."""
    return refused("ENTITY_IS_DELETED", "entity is deleted", status=404)


def invalid_session() -> SalesforceError:
    """401 of an unknown or expired token."""
    return SalesforceError(401, Fault("INVALID_SESSION_ID", "Session expired or invalid"))


def limit_exceeded(which: str = "TotalRequests") -> SalesforceError:
    """403 of a quota: TotalRequests for the day, ConcurrentPerOrgLongTxn for seconds."""
    return SalesforceError(403, Fault("REQUEST_LIMIT_EXCEEDED", f"{which} Limit exceeded."))


def no_column(name: str, sobject: str) -> SalesforceError:
    """400 of a write to a field that is not there, or hidden from this user."""
    message = f"No such column '{name}' on sobject of type {sobject}"
    return SalesforceError(400, Fault("INVALID_FIELD", message))


def not_writable(names: Sequence[str]) -> SalesforceError:
    """400 of a write to a calculated or system field."""
    message = (
        f"Unable to create/update fields: {', '.join(names)}. Please check the security settings "
        "of this field and verify that it is read/write for your profile or permission set."
    )
    return refused("INVALID_FIELD_FOR_INSERT_UPDATE", message, *names)


def required_missing(names: Sequence[str]) -> SalesforceError:
    """400 of required fields without a value."""
    message = f"Required fields are missing: [{', '.join(names)}]"
    return refused("REQUIRED_FIELD_MISSING", message, *names)


def locked(record_ids: Sequence[str]) -> SalesforceError:
    """400 of a row that another transaction holds."""
    message = (
        "unable to obtain exclusive access to this record or "
        f"{len(record_ids)} records: {','.join(record_ids)}"
    )
    return refused("UNABLE_TO_LOCK_ROW", message)


def duplicate_value(name: str, owner: str) -> SalesforceError:
    """400 of a unique value that another record has."""
    message = f"duplicate value found: {name} duplicates value on record with id: {owner}"
    return refused("DUPLICATE_VALUE", message)


def duplicates_detected(rule: str, sobject: str, matches: Sequence[str], *, save: bool) -> Fault:
    """400 of a duplicate rule, with the candidates (3S)."""
    result = {
        "allowSave": save,
        "duplicateRule": rule,
        "duplicateRuleEntityType": sobject,
        "errorMessage": "Use one of these records?",
        "matchResults": [
            {
                "entityType": sobject,
                "matchRecords": [{"record": {"Id": match}} for match in matches],
                "rule": rule,
                "size": len(matches),
                "success": True,
            }
        ],
    }
    message = "You're creating a duplicate record. We recommend you use an existing record instead."
    return Fault("DUPLICATES_DETECTED", message, None, (("duplicateResult", result),))


def precondition_failed() -> SalesforceError:
    """412 of a conditional request (3S "Conditional requests")."""
    message = "The record was changed since the given condition"
    return SalesforceError(412, Fault("MATCH_PRECONDITION_FAILED", message))
