"""A simulated Salesforce org: rows, queries, collections, composites, rules, limits."""

from quotey.testing.simulators.salesforce.core import SalesforceCore
from quotey.testing.simulators.salesforce.ids import to_18
from quotey.testing.simulators.salesforce.rules import (
    DuplicateRule,
    ValidationRule,
    stale_version,
    version_reused,
)
from quotey.testing.simulators.salesforce.schema import Field
from quotey.testing.simulators.salesforce.settings import SalesforceSettings

__all__ = [
    "DuplicateRule",
    "Field",
    "SalesforceCore",
    "SalesforceSettings",
    "ValidationRule",
    "stale_version",
    "to_18",
    "version_reused",
]
