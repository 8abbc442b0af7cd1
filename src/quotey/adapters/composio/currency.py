"""New deals of CRMs with one currency: there is no property for it, and none is needed.

A deal that is made here always has a currency, by default the connection's own. Source:
crm-semantics 1H "Values", 1S "Fields".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from quotey.adapters.composio.ops import Failed
from quotey.contract.fields import Entity
from quotey.contract.mapping import Mapping as CrmMapping

ABSENT = ("PROPERTY_DOESNT_EXIST", "INVALID_FIELD")
"""How the vendors say that there is no such property."""

T = TypeVar("T")


def without_currency(
    mapping: CrmMapping, sent: Mapping[str, T], failed: Failed, prefix: str = ""
) -> dict[str, T] | None:
    """Give what was sent without the currency, when only that was refused and is the default.

    None when it was refused for something else: another currency is never left out.
    """
    field = mapping.entities[Entity.DEAL].field("currency")
    if field is None or mapping.default_currency is None:
        return None
    name = field.path.removeprefix(prefix)
    absent = {one.property for one in failed.problems if one.code in ABSENT}
    if absent != {name} or sent.get(name) != mapping.default_currency:
        return None
    return {key: value for key, value in sent.items() if key != name}
