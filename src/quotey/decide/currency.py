"""Whether an amount that stands here was meant in another currency than the CRM's record has now.

What becomes of it then is in `merge`. Source: reliability C13; ADR 0010.
"""

from __future__ import annotations

from quotey.contract.dto import Canonical
from quotey.contract.fields import Direction, FieldType, Policy
from quotey.contract.journal import MirrorRecord
from quotey.contract.mapping import FieldMapping, OnBlank
from quotey.decide.strategy import is_blank

CURRENCY = "currency"
"""The field that says in which currency the amounts of a record are."""


def is_in_other_currency(field: FieldMapping, values: Canonical, mirror: MirrorRecord) -> bool:
    """Whether our amount would stand, and be sent, beside a currency that it was not meant in.

    That is so when the CRM now names another currency than it last did, and until a person has
    decided: then the amount is held and has no base. What nobody changed here is the CRM's to say.
    """
    if field.type is not FieldType.MONEY or not field.flows_out or field.name not in mirror.local:
        return False
    if field.name in mirror.remote and field.name not in mirror.base:
        return True
    return _moved(values, mirror) and _ours_stands(field, values, mirror)


def _moved(values: Canonical, mirror: MirrorRecord) -> bool:
    before, now = mirror.base.get(CURRENCY), values.get(CURRENCY)
    return before is not None and now is not None and before != now


def _ours_stands(field: FieldMapping, values: Canonical, mirror: MirrorRecord) -> bool:
    if mirror.local[field.name] != mirror.base.get(field.name):
        return True
    keeps = field.on_blank is OnBlank.PREFER_NONBLANK and is_blank(values.get(field.name))
    ours = field.policy is Policy.LOCAL_WINS or field.direction is Direction.OUTBOUND
    return ours or keeps
