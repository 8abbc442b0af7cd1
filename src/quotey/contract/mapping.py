"""What a mapping is once parsed, as values. Parsing lives in `mapping_file`, use in `mapper`.

A mapping belongs to one provider and one connection; its fingerprint changes with its meaning only.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from quotey.contract.fields import Direction, Entity, FieldType, Need, Policy, Strategy


class OnBlank(StrEnum):
    """What an inbound blank ("" or white space) means."""

    NULL = "null"
    KEEP = "keep"
    PREFER_NONBLANK = "prefer_nonblank"


class ValueMap(msgspec.Struct, frozen=True, tag="value_map"):
    """Their word to ours; `otherwise` is "reject", "keep" or "null"."""

    values: dict[str, str]
    otherwise: str = "reject"


class Bucket(msgspec.Struct, frozen=True, tag="bucket"):
    """A number to a name: the first bound that the number is below, else `above`."""

    below: tuple[tuple[str, str], ...]
    above: str


class DomainOf(msgspec.Struct, frozen=True, tag="domain"):
    """A web address or e-mail to its bare host name."""


class DateIn(msgspec.Struct, frozen=True, tag="date"):
    """A date in a `strptime` format; `timezone` turns a moment into a calendar day.

    `format` may also be "iso" (date or moment) or "epoch_ms". `out` is the `strftime` format that
    is written; "" = as it is read.
    """

    format: str = "%Y-%m-%d"
    timezone: str = "UTC"
    out: str = ""


class MoneyIn(msgspec.Struct, frozen=True, tag="money"):
    """An amount; `scale` is the power of ten that the CRM's number is multiplied by."""

    scale: int = 0


class Join(msgspec.Struct, frozen=True, tag="join"):
    """Several paths into one text, blanks left out."""

    paths: tuple[str, ...]
    separator: str = " "


Transform = ValueMap | Bucket | DomainOf | DateIn | MoneyIn | Join


class FieldMapping(msgspec.Struct, frozen=True, kw_only=True):
    """How one contract field stands in the CRM's payload.

    `path` is dotted; `custom` marks an `x_` field. `default` fills an absent, null or blank value
    and leaves a diagnostic each time.
    """

    name: str
    path: str
    type: FieldType
    need: Need
    direction: Direction
    policy: Policy
    strategy: Strategy | None = None
    sent_on_create: bool = False
    on_blank: OnBlank = OnBlank.NULL
    default: str | None = None
    transform: Transform | None = None
    custom: bool = False
    note: str = ""

    @property
    def flows_out(self) -> bool:
        """Whether a local change of it is sent to the CRM."""
        return self.direction in (Direction.OUTBOUND, Direction.BOTH)


class EntityMapping(msgspec.Struct, frozen=True, kw_only=True):
    """How one entity stands in the CRM: `object` is their name for it.

    `settings` are further words of the provider (key column, modified column, …), opaque here.
    `fingerprint` is the hash of everything above, so that a comment does not change it.
    """

    entity: Entity
    object: str
    fields: tuple[FieldMapping, ...]
    settings: dict[str, str] = msgspec.field(default_factory=dict)
    fingerprint: str = ""

    def field(self, name: str) -> FieldMapping | None:
        """Give the mapping of one contract field, or None when it is not mapped."""
        return next((field for field in self.fields if field.name == name), None)


class QuoteTarget(StrEnum):
    """Where a quote summary is written: deal properties (one slot a deal) or its own record."""

    DEAL_PROPERTIES = "deal_properties"
    QUOTE_RECORD = "quote_record"


class BacklogEntry(msgspec.Struct, frozen=True):
    """A field that v1 leaves out, and why (seed 9)."""

    field: str
    reason: str


class Mapping(msgspec.Struct, frozen=True, kw_only=True):
    """A parsed mapping file. `source_priority` breaks ties of `newest`: first wins."""

    provider: str
    entities: dict[Entity, EntityMapping]
    quote_target: QuoteTarget = QuoteTarget.DEAL_PROPERTIES
    default_currency: str | None = None
    clock_tolerance_seconds: int = 1
    source_priority: tuple[str, ...] = ("crm", "local")
    backlog: tuple[BacklogEntry, ...] = ()
    fingerprint: str = ""
