"""What the fields of the contract are called in the CRM of the simulation, and back."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from quotey.adapters.stub import PROVIDER, StubSettings
from quotey.contract.dto import Canonical, QuoteMarker, Value
from quotey.contract.mapping import Mapping as CrmMapping
from quotey.contract.mapping_file import parse_mapping
from tests.sim.crm import Mark

_PATHS = {"x_tag": "tag", "x_region": "region", "domain": "website"}
_SEGMENTS = {"smb": "SMB", "mid_market": "Mid-Market", "enterprise": "Enterprise"}
READ = {
    "account": ("name", "segment", "x_tag"),
    "contact": ("name", "email"),
    "deal": ("name", "stage", "amount", "currency", "x_region"),
}
"""Fields whose mirror is held against the CRM; every amount is written as it is kept."""

_OWN = """
provider = "stub"
[account.fields.x_tag]
path = "tag"
type = "text"
direction = "both"
policy = "local_wins"
[deal.fields.x_region]
path = "region"
type = "text"
direction = "both"
policy = "{policy}"
"""
POLICIES = ("local_wins", "crm_wins")
"""Policies that the region of a deal may have; the first holds in the beginning."""


@cache
def mapping(policy: str = POLICIES[0]) -> CrmMapping:
    """Give the mapping of the simulation: the stub's, and a field of our own on both sides."""
    shipped = parse_mapping(PROVIDER.shipped_mapping(StubSettings()), name="stub.toml")
    return parse_mapping(_OWN.format(policy=policy), name="own.toml", over=shipped)


def wire_of(entity: str, values: Mapping[str, Value]) -> dict[str, Any]:
    """Give contract values as the CRM writes them."""
    return {_PATHS.get(name, name): _out(name, value) for name, value in values.items()}


def _out(name: str, value: Value) -> str | None:
    if value is None:
        return None
    return _SEGMENTS.get(str(value), str(value)) if name == "segment" else str(value)


def canonical_of(entity: str, fields: Mapping[str, Any]) -> Canonical:
    """Give what the CRM holds in the words of the contract."""
    found: Canonical = {}
    if entity == "contact":
        fields = {**fields, "name": f"{fields['first_name']} {fields['last_name']}"}
    for name in READ.get(entity, ()):
        path = _PATHS.get(name, name)
        if path in fields:
            found[name] = _in(name, fields[path])
    return found


def _in(name: str, raw: str | None) -> str | None:
    if raw is None or raw == "":
        return None
    if name == "segment":
        return {word: own for own, word in _SEGMENTS.items()}.get(raw, raw)
    return str(raw)


def marker_of(mark: Mark) -> QuoteMarker:
    """Give a mark of the CRM as an adapter reads it."""
    return QuoteMarker(
        instance_id=mark.instance,
        quote_id=mark.quote,
        version=mark.version,
        payload_digest=mark.digest,
    )
