"""A whole simulated CRM: the vendor, made ready for Quotey, and the gateway in front of it.

It is what `quotey crm simulator` serves, and what the worlds of the conformance suite stand on.
Nothing here opens a socket; `server.serve` does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from quotey.contract.dataset import DataSet
from quotey.contract.fields import Entity
from quotey.contract.mapping import Mapping as CrmMapping
from quotey.testing.names import Simulated
from quotey.testing.simulators.clock import Clock
from quotey.testing.simulators.composio import ComposioCore, Upstream
from quotey.testing.simulators.core import Core
from quotey.testing.simulators.hubspot import HubSpotCore, HubSpotSettings, Property
from quotey.testing.simulators.loading import Loaded, hubspot_from, salesforce_from
from quotey.testing.simulators.prepare import prepare_org, prepare_portal
from quotey.testing.simulators.salesforce import (
    Field,
    SalesforceCore,
    SalesforceSettings,
    ValidationRule,
    stale_version,
    version_reused,
)
from quotey.testing.simulators.salesforce.rules import Save
from quotey.testing.simulators.wording import OwnName, Reworded, reword

HUBSPOT_URL = "https://api.hubapi.com"
SALESFORCE_URL = "https://acme.my.salesforce.com"
USER = "user-1"
CLOSE_DAYS = 30
"""An org wants a close date of every deal; a new one without gets this many days from today."""


class Source(Struct, frozen=True):
    """A data set and the mapping that says what its columns mean."""

    data: DataSet
    mapping: CrmMapping


class Rig(Struct, frozen=True, kw_only=True):
    """One simulated CRM.

    `vendor_token` opens the vendor's own address, `api_key` the gateway's; `connected_account_id`
    is the account there. `ids` are the new ids by the data set's keys; `prepared` names what an
    administrator would have had to make; `left_out` tells what could not be loaded, and why.
    """

    provider: Simulated
    vendor: Core
    gateway: ComposioCore
    vendor_token: str
    api_key: str
    connected_account_id: str
    user_id: str = USER
    settings: Mapping[str, str | int | bool] = {}
    """What a connection's settings need beyond the account, by key."""
    ids: Mapping[Entity, Mapping[str, str]] = {}
    prepared: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    def property_path(self, name: str) -> str:
        """Give where a mapping finds a property of that name in this vendor's records."""
        return f"properties.{name}" if self.provider == "hubspot" else name

    @property
    def cores(self) -> tuple[Core, Core]:
        """What is served at one address: the vendor itself, and the gateway in front of it."""
        return self.vendor, self.gateway


class _Order(Struct, frozen=True, kw_only=True):
    """What a rig is built from."""

    mapping: CrmMapping
    clock: Clock
    seed: int
    words: Reworded | None
    stages: tuple[str, ...]
    currencies: tuple[str, ...]


def build_rig(
    provider: Simulated,
    mapping: CrmMapping,
    clock: Clock,
    *,
    seed: int = 0,
    source: Source | None = None,
    stages: Sequence[str] = (),
    currencies: Sequence[str] = (),
) -> Rig:
    """Build a CRM that `mapping` fits, filled from `source`, an empty one without.

    `stages` and `currencies` are there besides those of the source; the first currency is the
    account's own.
    """
    build, own_property = _BUILDERS[provider]
    words = reword(source.data, source.mapping, mapping, own_property) if source else None
    default = source.data.spec.default_currency if source and words and words.currencies else None
    found = words.currencies if words else []
    return build(
        _Order(
            mapping=mapping,
            clock=clock,
            seed=seed,
            words=words,
            stages=tuple(dict.fromkeys((*stages, *(words.stages if words else ())))),
            currencies=tuple(dict.fromkeys((*filter(None, (default,)), *currencies, *found))),
        )
    )


def _hubspot_rig(order: _Order) -> Rig:
    """Build a portal; the currencies are its additional ones."""
    settings = HubSpotSettings()
    more = tuple(dict.fromkeys((*settings.additional_currencies, *order.currencies)))
    core = HubSpotCore(order.clock, order.seed, replace(settings, additional_currencies=more))
    prepared = prepare_portal(core, order.mapping, order.stages)
    for kind, name in _own_properties(order.words, "quotey_"):
        if name not in core.portal.properties[kind]:
            core.define(kind, Property(name, "string", hubspot_defined=False))
            prepared.append(f"{kind}.{name}")
    words = order.words
    loaded = hubspot_from(core, words.data, words.shapes) if words else Loaded({}, [])
    upstream = Upstream(core, HUBSPOT_URL, core.issue_token)
    rig = _rig("hubspot", order, upstream, core.private_token(), prepared, loaded)
    return replace(rig, settings={"time_zone": settings.time_zone})


def _salesforce_rig(order: _Order) -> Rig:
    """Build an org; with any currency it is one of several currencies."""
    settings = SalesforceSettings(currencies=order.currencies)
    core = SalesforceCore(order.clock, order.seed, settings)
    prepared = prepare_org(core, order.mapping, order.stages)
    _guard_versions(core, order.mapping)
    for sobject, name in _own_properties(order.words, "Quotey_"):
        if name not in core.org.objects[sobject]:
            core.define(sobject, Field(name))
            prepared.append(f"{sobject}.{name}")
    words = order.words
    loaded = salesforce_from(core, words.data, words.shapes) if words else Loaded({}, [])
    upstream = Upstream(core, SALESFORCE_URL, core.issue_token)
    token = core.issue_token(seconds=None)
    rig = _rig("salesforce", order, upstream, token, prepared, loaded)
    own: dict[str, str | int | bool] = {"instance_url": SALESFORCE_URL, "guard_rules": True}
    return replace(rig, settings={**own, "default_close_days": CLOSE_DAYS})


_BUILDERS: dict[Simulated, tuple[Callable[[_Order], Rig], OwnName]] = {
    "hubspot": (_hubspot_rig, lambda field: f"quotey_{field}"),
    "salesforce": (_salesforce_rig, lambda field: f"Quotey_{field.title()}__c"),
}


def _guard_versions(core: SalesforceCore, mapping: CrmMapping) -> None:
    """Put the rules in force that guard the versions of one quote inside the save (3S)."""
    quote = mapping.entities.get(Entity.QUOTE)
    version, id_ = (quote.field("version"), quote.field("id")) if quote else (None, None)
    if quote is None or version is None or id_ is None:
        return
    digest = quote.settings.get("marker_digest", "")
    for rule in (
        stale_version(quote.object, version.path),
        version_reused(quote.object, version.path, digest),
    ):
        core.validations.append(_for_one_quote(rule, id_.path))


def _for_one_quote(rule: ValidationRule, id_: str) -> ValidationRule:
    """Give the rule for a save that leaves the quote the same; another quote begins anew."""
    forbids = rule.forbids

    def narrowed(save: Save) -> bool:
        return save.prior_value(id_) == save.values.get(id_) and forbids(save)

    return ValidationRule(rule.name, rule.sobject, rule.field, rule.message, narrowed)


def _own_properties(words: Reworded | None, start: str) -> list[tuple[str, str]]:
    """Give what the data fills and the vendor has no field of its own for, by record type."""
    return [
        (shape.record_type, name)
        for shape in (words.shapes.values() if words else ())
        for name in shape.columns
        if name.startswith(start)
    ]


def _rig(
    provider: Simulated,
    order: _Order,
    upstream: Upstream,
    vendor_token: str,
    prepared: list[str],
    loaded: Loaded,
) -> Rig:
    gateway = ComposioCore(order.clock, {provider: upstream}, order.seed)
    words = order.words
    broken = [str(row) for row in words.data.broken] if words else []
    return Rig(
        provider=provider,
        vendor=upstream.core,
        gateway=gateway,
        vendor_token=vendor_token,
        api_key=gateway.add_key(),
        connected_account_id=gateway.accounts.connect(provider, USER),
        ids=loaded.ids,
        prepared=tuple(dict.fromkeys(prepared)),
        left_out=(*broken, *(words.left_out if words else ()), *loaded.refused),
    )
