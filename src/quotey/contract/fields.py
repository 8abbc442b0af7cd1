"""The field dictionary: every contract field as a row of one table (seed 3.2, 4.2, design 6, 9).

Code, docs and JSON Schema are generated from this table. Vendor property names live in mappings.
"""

# ruff: noqa: E501 - a table reads as a table, one row a line

from __future__ import annotations

from enum import StrEnum

import msgspec


class Entity(StrEnum):
    """What crosses the boundary in v1 (seed 3.1); the order is the order of reading."""

    ACCOUNT = "account"
    CONTACT = "contact"
    DEAL = "deal"
    QUOTE = "quote"


MIRRORED = (Entity.ACCOUNT, Entity.CONTACT, Entity.DEAL)
"""Entities that inbound sync reads, parents first."""


class Need(StrEnum):
    """Whether a record without the field breaks the contract."""

    REQUIRED = "required"
    RECOMMENDED = "recommended"


class FieldType(StrEnum):
    """How a value is written in canonical text; see `quotey.contract.values`."""

    TEXT = "text"
    REF = "ref"
    DOMAIN = "domain"
    EMAIL = "email"
    MONEY = "money"
    CURRENCY = "currency"
    DATE = "date"
    INTEGER = "integer"
    STATUS = "status"


class Owner(StrEnum):
    """Who answers for the field (seed 4.1, 4.2)."""

    CRM = "crm"
    QUOTEY = "quotey"
    POLICY = "policy"


class Direction(StrEnum):
    """Which way a value may flow."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"
    BOTH = "both"
    LOCAL = "local"


class Policy(StrEnum):
    """How a clash ends (seed 4.3, exactly these four)."""

    CRM_WINS = "crm_wins"
    LOCAL_WINS = "local_wins"
    MERGE_WITH_AUDIT = "merge_with_audit"
    IMMUTABLE_AFTER_BIND = "immutable_after_bind"


class Strategy(StrEnum):
    """How `merge_with_audit` picks the winner, deterministically (design section 5)."""

    NEWEST = "newest"
    PREFER_NONBLANK = "prefer_nonblank"
    MAX = "max"
    MIN = "min"
    UNION = "union"


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the dictionary. `sent_on_create` marks inbound fields that a new deal carries."""

    entity: Entity
    name: str
    need: Need
    type: FieldType
    owner: Owner
    direction: Direction
    policy: Policy
    strategy: Strategy | None = None
    sent_on_create: bool = False
    category: str = ""
    note: str = ""

    @property
    def path(self) -> str:
        """`deal.stage`: the name used in messages, mappings and commands."""
        return f"{self.entity}.{self.name}"


def _row(  # noqa: PLR0913 - the columns of the table
    path: str,
    need: str,
    type_: str,
    owner: str,
    direction: str,
    policy: str,
    category: str,
    note: str,
    **more: object,
) -> Field:
    entity, name = path.split(".")
    return msgspec.convert(
        {
            "entity": entity,
            "name": name,
            "need": need,
            "type": type_,
            "owner": owner,
            "direction": direction,
            "policy": policy,
            "category": category,
            "note": note,
            **more,
        },
        Field,
    )


_NEWEST = {"strategy": "newest"}
_SENT = {"sent_on_create": True}

# fmt: off
FIELDS: tuple[Field, ...] = (
    _row("account.id",           "required",    "ref",      "crm",    "inbound",  "immutable_after_bind", "external account id (`crm_ref`)", "stable link key"),
    _row("account.name",         "required",    "text",     "crm",    "inbound",  "crm_wins",             "account name", "primary lookup field"),
    _row("account.domain",       "recommended", "domain",   "crm",    "inbound",  "crm_wins",             "website/domain", "fuzzy lookup aid"),
    _row("account.segment",      "required",    "text",     "policy", "both",     "merge_with_audit",     "customer segment", "pricing/policy context", **_NEWEST),
    _row("contact.id",           "required",    "ref",      "crm",    "inbound",  "immutable_after_bind", "external contact id (`crm_ref`)", "stable link key"),
    _row("contact.name",         "required",    "text",     "crm",    "inbound",  "crm_wins",             "contact name", "who it is"),
    _row("contact.email",        "recommended", "email",    "crm",    "inbound",  "crm_wins",             "e-mail", "many real contacts have none"),
    _row("contact.account_id",   "recommended", "ref",      "crm",    "inbound",  "crm_wins",             "parent account id", "whom they work for"),
    _row("contact.title",        "recommended", "text",     "crm",    "inbound",  "crm_wins",             "job title", "context"),
    _row("contact.phone",        "recommended", "text",     "crm",    "inbound",  "crm_wins",             "phone", "context"),
    _row("deal.id",              "required",    "ref",      "crm",    "inbound",  "immutable_after_bind", "external deal/opportunity id (`crm_ref`)", "sync key"),
    _row("deal.account_id",      "required",    "ref",      "crm",    "inbound",  "crm_wins",             "parent account id", "referential integrity", **_SENT),
    _row("deal.name",            "required",    "text",     "policy", "both",     "merge_with_audit",     "opportunity name", "user-facing context", **_NEWEST),
    _row("deal.stage",           "required",    "text",     "crm",    "inbound",  "crm_wins",             "pipeline stage", "context and reporting", **_SENT),
    _row("deal.amount",          "recommended", "money",    "policy", "both",     "merge_with_audit",     "deal amount", "routing and context", **_NEWEST),
    _row("deal.close_date",      "recommended", "date",     "crm",    "inbound",  "crm_wins",             "close date", "planning context", **_SENT),
    _row("deal.currency",        "recommended", "currency", "crm",    "inbound",  "crm_wins",             "currency code", "absent: the connection's default, with a diagnostic", **_SENT),
    _row("quote.id",             "required",    "ref",      "quotey", "outbound", "immutable_after_bind", "quote identifier", "writeback identity"),
    _row("quote.version",        "required",    "integer",  "quotey", "outbound", "local_wins",           "quote revision", "stale-write guard"),
    _row("quote.status",         "required",    "status",   "quotey", "outbound", "local_wins",           "lifecycle status", "CRM visibility"),
    _row("quote.total",          "required",    "money",    "quotey", "outbound", "local_wins",           "priced total", "commercial output"),
    _row("quote.currency",       "required",    "currency", "quotey", "outbound", "local_wins",           "currency code", "monetary correctness"),
    _row("quote.valid_until",    "recommended", "date",     "quotey", "outbound", "local_wins",           "expiry date", "lifecycle signal"),
    _row("quote.attachment_ref", "recommended", "text",     "quotey", "outbound", "local_wins",           "PDF/file reference", "buyer-facing artifact"),
)
# fmt: on

BY_PATH: dict[str, Field] = {row.path: row for row in FIELDS}


def fields_of(entity: Entity) -> tuple[Field, ...]:
    """Give the rows of one entity, in table order.

    >>> [row.name for row in fields_of(Entity.ACCOUNT)]
    ['id', 'name', 'domain', 'segment']
    """
    return tuple(row for row in FIELDS if row.entity == entity)


class OwnershipRow(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the ownership matrix (seed 4.2), with the fields or tables that it governs."""

    group: str
    owner: str
    direction: str
    policy: str
    governs: tuple[str, ...]


OWNERSHIP: tuple[OwnershipRow, ...] = (
    OwnershipRow(
        group="account identity (`crm_ref`, canonical external IDs)",
        owner="CRM",
        direction="inbound to local",
        policy="crm_wins",
        governs=("account.name", "account.domain"),
    ),
    OwnershipRow(
        group="account enrichment (`segment`, region if policy-managed locally)",
        owner="policy-configurable",
        direction="bidirectional",
        policy="explicit per field",
        governs=("account.segment",),
    ),
    OwnershipRow(
        group="deal stage/close date from sales process",
        owner="CRM",
        direction="inbound preferred",
        policy="crm_wins unless lock window",
        governs=("deal.stage", "deal.close_date"),
    ),
    OwnershipRow(
        group="local CPQ quote lifecycle/status",
        owner="Quotey",
        direction="outbound to CRM",
        policy="local_wins",
        governs=("quote.version", "quote.status", "quote.valid_until"),
    ),
    OwnershipRow(
        group="local pricing totals and traces",
        owner="Quotey",
        direction="outbound summary only",
        policy="local_wins",
        governs=("quote.total", "quote.currency"),
    ),
    OwnershipRow(
        group="approval artifacts",
        owner="Quotey",
        direction="outbound summary optional",
        policy="local_wins",
        governs=("quote.attachment_ref",),
    ),
    OwnershipRow(
        group="sync cursors/operational metadata",
        owner="Quotey",
        direction="local only",
        policy="n/a",
        governs=("sync_state", "outbox", "audit_event"),
    ),
)
