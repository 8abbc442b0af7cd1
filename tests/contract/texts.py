"""A small mapping that is right, for tests to break, and helpers to use it."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from quotey.contract.dto import RemoteRecord
from quotey.contract.errors import Diagnostic, MappingError
from quotey.contract.fields import Entity
from quotey.contract.mapper import Mapped, Mapper, Rejected
from quotey.contract.mapping import Mapping
from quotey.contract.mapping_file import parse_mapping

MOMENT = datetime(2026, 3, 10, 12, tzinfo=UTC)

MAPPING = """\
provider = "stub"
default_currency = "EUR"

[account]
object = "companies"
page = 100
archived = false

[account.fields.id]
path = "id"

[account.fields.name]
path = "props.name"

[account.fields.domain]
path = "web"
transform = { kind = "domain" }

[account.fields.segment]
path = "segment"
default = "none"

[contact]
object = "people"

[contact.fields.id]
path = "id"

[contact.fields.name]
path = "first"
transform = { kind = "join", paths = ["first", "last"] }

[contact.fields.email]
path = "mail"

[deal]
object = "deals"

[deal.fields.id]
path = "id"

[deal.fields.account_id]
path = "company"

[deal.fields.name]
path = "title"

[deal.fields.stage]
path = "stage"
transform = { kind = "value_map", values = { Won = "won", Open = "open", Offen = "open" } }

[deal.fields.amount]
path = "amount"

[deal.fields.close_date]
path = "closes"
transform = { kind = "date", format = "%d.%m.%Y" }

[deal.fields.currency]
path = "currency"

[deal.fields.x_rank]
path = "rank"
type = "integer"
direction = "both"
policy = "merge_with_audit"
strategy = "max"

[quote]
object = "deals"

[quote.fields.id]
path = "q_id"

[quote.fields.version]
path = "q_version"

[quote.fields.status]
path = "q_status"

[quote.fields.total]
path = "q_total"

[quote.fields.currency]
path = "q_currency"

[backlog]
"deal.owner" = "users are not mirrored"
"""


def changed(*pairs: tuple[str, str]) -> str:
    """Give the mapping text with parts replaced; each must be there."""
    text = MAPPING
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


def added(table: str, *lines: str) -> str:
    """Give the mapping text with lines put right below a table header."""
    return changed((f"[{table}]\n", "\n".join((f"[{table}]", *lines, ""))))


def mapping_of(text: str = MAPPING) -> Mapping:
    return parse_mapping(text, name="mapping.toml")


def problems_of(text: str, over: Mapping | None = None) -> tuple[Diagnostic, ...]:
    """Give all problems of a mapping text that is wrong."""
    with pytest.raises(MappingError) as caught:
        parse_mapping(text, name="mapping.toml", over=over)
    assert caught.value.diagnostics
    return caught.value.diagnostics


def problem_of(text: str, over: Mapping | None = None) -> Diagnostic:
    """Give the one problem of a mapping text."""
    found = problems_of(text, over)
    assert len(found) == 1, found
    return found[0]


def record(payload: object, crm_ref: str = "7") -> RemoteRecord:
    raw = payload if isinstance(payload, bytes) else msgspec.json.encode(payload)
    return RemoteRecord(crm_ref=crm_ref, source_ts=MOMENT, source_version="1", payload=raw)


def read(
    entity: Entity, payload: object, *, text: str = MAPPING, crm_ref: str = "7"
) -> Mapped | Rejected:
    return Mapper(mapping_of(text), "main").read(entity, record(payload, crm_ref))


def mapped(entity: Entity, payload: object, *, text: str = MAPPING) -> Mapped:
    answer = read(entity, payload, text=text)
    assert isinstance(answer, Mapped), answer
    return answer


def rejected(entity: Entity, payload: object, *, text: str = MAPPING) -> Rejected:
    answer = read(entity, payload, text=text)
    assert isinstance(answer, Rejected), answer
    return answer
