"""Money as it stands in tables and sentences: in the minor unit of its currency, never rounded."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from quotey.contract.fields import Entity, FieldType, fields_of
from quotey.contract.values import show_money

MONEY = {
    entity: {one.name for one in fields_of(entity) if one.type == FieldType.MONEY}
    for entity in Entity
}
"""The names of the fields that hold money, by entity."""


def shown_total(amount: Decimal | str, currency: str | None) -> str:
    """Write an amount, in its currency where that is known; what is no amount stays as it is.

    >>> shown_total(Decimal(12000), "EUR"), shown_total("1200", "JPY"), shown_total("x", "EUR")
    ('12000.00 EUR', '1200 JPY', 'x')
    """
    try:
        exact = Decimal(amount)
    except InvalidOperation:
        return str(amount)
    return show_money(exact, currency or "").strip() if exact.is_finite() else str(amount)


def shown_field(entity: Entity, name: str, value: str | None, currency: str | None) -> str | None:
    """Write a value of a record; money in the record's currency."""
    if value is None or name not in MONEY[entity]:
        return value
    return shown_total(value, currency)
