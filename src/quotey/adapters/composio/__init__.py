"""The CRMs that are reached through Composio: HubSpot and Salesforce, a folder each."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from quotey.adapters import Provider, Recording, RemoteAccount, Visit
from quotey.adapters.composio.kept import with_account
from quotey.adapters.composio.settings import (
    ComposioSettings,
    HubSpotSettings,
    SalesforceSettings,
)
from quotey.contract.adapter import CrmAdapter
from quotey.contract.mapping import Mapping

__all__ = ["PROVIDERS", "HubSpotSettings", "SalesforceSettings", "mappings"]

CRMS = ("hubspot", "salesforce")

CREDENTIALS = ("COMPOSIO_API_KEY",)
"""The service's own name for its key; who sets it means to go live."""


def mappings() -> dict[str, str]:
    """Give the shipped mapping of each CRM, as TOML text by the CRM's name."""
    folder = files(__name__) / "crms"
    return {crm: (folder / f"{crm}.toml").read_text(encoding="utf-8") for crm in CRMS}


def open_hubspot(
    settings: HubSpotSettings, mapping: Mapping, connection: str, *, home: Path
) -> CrmAdapter:
    """Open the adapter of one portal; nothing is asked before the first operation.

    Raises NotConnectedError before `crm connect`, ConfigError when the mapping lacks a word.
    """
    # HTTP is loaded only here, so that finding the providers costs next to nothing.
    from quotey.adapters.composio.hubspot import open_adapter

    return open_adapter(with_account(settings, "hubspot", connection, home), mapping, connection)


def open_salesforce(
    settings: SalesforceSettings, mapping: Mapping, connection: str, *, home: Path
) -> CrmAdapter:
    """Open the adapter of one org; nothing is asked before the first operation.

    Raises NotConnectedError before `crm connect`, ConfigError when the mapping lacks a word.
    """
    from quotey.adapters.composio.salesforce import open_adapter

    return open_adapter(with_account(settings, "salesforce", connection, home), mapping, connection)


def record_hubspot(
    settings: HubSpotSettings,
    mapping: Mapping,
    connection: str,
    *,
    home: Path,
    key: bytes,
    keep: frozenset[str],
) -> Recording:
    """Open the adapter of a portal for a recording. Raises as `OpenRecording` says."""
    from quotey.adapters.composio.hubspot import open_adapter
    from quotey.adapters.composio.recording import ComposioRecording

    own = with_account(settings, "hubspot", connection, home)
    return ComposioRecording(
        lambda world: open_adapter(own, mapping, connection, world),
        own,
        mapping,
        key=key,
        keep=keep,
    )


def record_salesforce(
    settings: SalesforceSettings,
    mapping: Mapping,
    connection: str,
    *,
    home: Path,
    key: bytes,
    keep: frozenset[str],
) -> Recording:
    """Open the adapter of an org for a recording. Raises as `OpenRecording` says."""
    from quotey.adapters.composio.recording import ComposioRecording
    from quotey.adapters.composio.salesforce import open_adapter

    own = with_account(settings, "salesforce", connection, home)
    return ComposioRecording(
        lambda world: open_adapter(own, mapping, connection, world),
        own,
        mapping,
        key=key,
        keep=keep,
    )


def connect_hubspot(
    settings: HubSpotSettings,
    mapping: Mapping,  # noqa: ARG001 - the protocol's signature
    connection: str,
    *,
    home: Path,
    visit: Visit,
) -> RemoteAccount:
    """Let a person authorise us for a portal. Raises as `Connecting.connect`."""
    from quotey.adapters.composio.hubspot import identify
    from quotey.adapters.composio.visiting import connect

    return connect(settings, "hubspot", identify, connection, home, visit)


def connect_salesforce(
    settings: SalesforceSettings,
    mapping: Mapping,  # noqa: ARG001 - the protocol's signature
    connection: str,
    *,
    home: Path,
    visit: Visit,
) -> RemoteAccount:
    """Let a person authorise us for an org. Raises as `Connecting.connect`."""
    from quotey.adapters.composio.salesforce import identify
    from quotey.adapters.composio.visiting import connect

    return connect(settings, "salesforce", identify, connection, home, visit)


def look_at_hubspot(settings: HubSpotSettings, connection: str, *, home: Path) -> RemoteAccount:
    """Ask how the account of a portal stands."""
    from quotey.adapters.composio.visiting import look

    return look(with_account(settings, "hubspot", connection, home), "hubspot")


def look_at_salesforce(
    settings: SalesforceSettings, connection: str, *, home: Path
) -> RemoteAccount:
    """Ask how the account of an org stands."""
    from quotey.adapters.composio.visiting import look

    return look(with_account(settings, "salesforce", connection, home), "salesforce")


def _hubspot_mapping(settings: object = None) -> str:  # noqa: ARG001 - one mapping for all portals
    return mappings()["hubspot"]


def _salesforce_mapping(settings: object = None) -> str:  # noqa: ARG001 - one mapping for all orgs
    return mappings()["salesforce"]


def _default_currency(settings: ComposioSettings) -> str | None:
    return settings.default_currency


PROVIDERS = (
    Provider(
        name="hubspot",
        settings=HubSpotSettings,
        open=open_hubspot,
        shipped_mapping=_hubspot_mapping,
        default_currency=_default_currency,
        connect=connect_hubspot,
        account=look_at_hubspot,
        record=record_hubspot,
        credentials=CREDENTIALS,
    ),
    Provider(
        name="salesforce",
        settings=SalesforceSettings,
        open=open_salesforce,
        shipped_mapping=_salesforce_mapping,
        default_currency=_default_currency,
        connect=connect_salesforce,
        account=look_at_salesforce,
        record=record_salesforce,
        credentials=CREDENTIALS,
    ),
)
