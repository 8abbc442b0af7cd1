"""What an administrator can forbid: validation rules and duplicate rules.

Source: crm-semantics.md 3S "Atomic stale-version guard", "Duplicate rules".
"""

from collections.abc import Callable
from decimal import Decimal

from msgspec import Struct

from quotey.testing.simulators.salesforce.schema import Value, Values


class Save(Struct, frozen=True):
    """What a rule can ask about a save: the words of the vendor's formula language."""

    values: Values
    prior: Values | None

    @property
    def is_new(self) -> bool:
        """Answer ISNEW()."""
        return self.prior is None

    def prior_value(self, name: str) -> Value:
        """Answer PRIORVALUE(field): the value before this transaction."""
        return None if self.prior is None else self.prior.get(name)

    def is_changed(self, name: str) -> bool:
        """Answer ISCHANGED(field)."""
        return not self.is_new and self.prior_value(name) != self.values.get(name)


class ValidationRule(Struct):
    """A save for which `forbids` holds is refused with `message` at `field`."""

    name: str
    sobject: str
    field: str
    message: str
    forbids: Callable[[Save], bool]
    active: bool = True


class DuplicateRule(Struct, frozen=True):
    """A new record that equals another in these fields is refused; `alert` may be overridden."""

    name: str
    sobject: str
    fields: tuple[str, ...]
    alert: bool = True


def stale_version(sobject: str, field: str = "Quotey_Version__c") -> ValidationRule:
    """The rule that makes an older version impossible; a blank counts as zero (3S)."""

    def forbids(save: Save) -> bool:
        prior = save.prior_value(field)
        if prior is None or not save.is_changed(field):
            return False
        return _number(save.values.get(field)) < _number(prior)

    return ValidationRule("Quotey_Stale_Version", sobject, field, "QUOTEY_STALE_VERSION", forbids)


def version_reused(
    sobject: str, field: str = "Quotey_Version__c", digest: str = "Quotey_Hash__c"
) -> ValidationRule:
    """The rule that makes other content under the same version impossible (3S)."""

    def forbids(save: Save) -> bool:
        same = save.prior_value(field) == save.values.get(field)
        return not save.is_new and same and save.prior_value(digest) != save.values.get(digest)

    return ValidationRule("Quotey_Version_Reused", sobject, field, "QUOTEY_VERSION_REUSED", forbids)


def _number(value: Value) -> Decimal:
    return value if isinstance(value, Decimal) else Decimal(0)
