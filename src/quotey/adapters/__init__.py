"""One folder a provider, found by looking.

What every folder exports is here; what a provider does is in its folder. Nothing else names one.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import msgspec

from quotey.contract.adapter import CrmAdapter
from quotey.contract.mapping import Mapping

Settings: TypeAlias = Any
"""A connection's settings, of the type that the provider names: only its own folder knows it."""

Tools: TypeAlias = Any
"""A provider's own commands; only the surface that offers them knows what they are."""


class OpenAdapter(Protocol):
    """Makes a connection's adapter from the folder's own settings."""

    def __call__(
        self, settings: Settings, mapping: Mapping, connection: str, *, home: Path
    ) -> CrmAdapter:
        """Open it; raises ConfigError, DataSetError or StoreError when that cannot be done."""


class OpenTools(Protocol):
    """Makes the provider's own commands (`quotey crm <provider> ...`)."""

    def __call__(
        self, settings: Settings, mapping: Mapping, connection: str, *, home: Path
    ) -> Tools:
        """Open them; raises what opening the adapter raises."""


class RemoteAccount(msgspec.Struct, frozen=True, kw_only=True):
    """The account by which a connection may talk to its CRM.

    `state` and `reason` are the words of the service that keeps it; `usable` is our reading of
    them. `identity` names whose records it opens (portal, organisation), "" where nobody told.
    `scopes` and `expires_at` are empty where the service does not tell them. `renews` says that the
    service holds what it needs to renew the authorisation by itself.
    """

    account_id: str
    state: str
    usable: bool
    reason: str = ""
    identity: str = ""
    scopes: tuple[str, ...] = ()
    created_at: datetime | None = None
    expires_at: datetime | None = None
    renews: bool = False


class Waiting(Protocol):
    """Time, as far as somebody who waits for a person needs it."""

    def now(self) -> datetime:
        """Give the present moment, in UTC."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


@dataclass(frozen=True, kw_only=True)
class Visit:
    """A person who is connecting an account: how to speak to them, and how long to wait for them.

    `seconds` bounds the wait. `anew` asks for a new account although the old one looks well.
    `identity` is whose records this home mirrors; an account of anybody else is refused.
    """

    tell: Callable[[str], None]
    clock: Waiting
    seconds: float
    anew: bool = False
    identity: str = ""


class ConnectAccount(Protocol):
    """Lets a person authorise us, and keeps in `home` what is needed from then on."""

    def __call__(
        self, settings: Settings, mapping: Mapping, connection: str, *, home: Path, visit: Visit
    ) -> RemoteAccount:
        """Connect; raises RemoteFailure or RefusedError, and then nothing was kept."""


class LookAtAccount(Protocol):
    """Asks the service that keeps the account how it stands."""

    def __call__(self, settings: Settings, connection: str, *, home: Path) -> RemoteAccount:
        """Ask once; raises RemoteFailure or NotConnectedError."""


class Concealed(msgspec.Struct, frozen=True, kw_only=True):
    """How many values of one kind a recording replaced, and how many different ones."""

    kind: str
    values: int
    different: int


class Recording(Protocol):
    """An adapter whose traffic is heard, and what may be shown of it.

    Everything that it gives is concealed: of personal values and secrets only stand-ins are left.
    """

    adapter: CrmAdapter

    @property
    def transport(self) -> str:
        """By which way the CRM is reached, where there are several."""

    def exchanges(self) -> list[bytes]:
        """Give each exchange so far, in order, as one JSON document without a line break.

        Raises RefusedError when one cannot be judged.
        """

    def record(self, payload: bytes) -> object:
        """Give the payload of one record as a JSON value. Raises RefusedError as above."""

    def settings(self) -> dict[str, object]:
        """Give the settings with which the recording is asked again."""

    def concealed(self) -> tuple[Concealed, ...]:
        """Count what was replaced so far."""

    def left_in(self, content: bytes) -> tuple[str, ...]:
        """Name the kinds of what is left in a text although it was to be replaced."""


class OpenRecording(Protocol):
    """Opens a connection's adapter so that what it says and hears can be recorded."""

    def __call__(
        self,
        settings: Settings,
        mapping: Mapping,
        connection: str,
        *,
        home: Path,
        key: bytes,
        keep: frozenset[str],
    ) -> Recording:
        """Open it; `key` makes the stand-ins, `keep` are contract fields left as they are.

        Raises UsageError for a field that cannot be kept, and what opening the adapter raises.
        """


class ShippedMapping(Protocol):
    """Gives the mapping that comes with the provider, as TOML text."""

    def __call__(self, settings: Settings = None) -> str:
        """Choose by the connection's settings where these matter."""


class DefaultCurrency(Protocol):
    """Gives the currency of records that name none, where the settings know it."""

    def __call__(self, settings: Settings) -> str | None:
        """Give an ISO 4217 code, or None."""


def _no_currency(settings: object) -> str | None:  # noqa: ARG001 - the protocol's signature
    return None


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """What a folder exports as `PROVIDER`: all that the front door needs to know of it.

    `settings` is the Struct that `[connections.<name>]` is decoded into. `is_stub` says, before
    anything is opened, whether data stays on this machine. `tools` makes the object behind the
    provider's own commands, and has `close()`; None where there are none. `connect` is how a person
    authorises us and `account` how that stands; None where nobody has to. `credentials` are the
    variables of the environment that, when set, say that somebody means to go live. `record` opens
    the adapter for a recording; None where there is no traffic.
    """

    name: str
    settings: type[msgspec.Struct]
    open: OpenAdapter
    shipped_mapping: ShippedMapping
    default_currency: DefaultCurrency = _no_currency
    is_stub: bool = False
    tools: OpenTools | None = None
    connect: ConnectAccount | None = None
    account: LookAtAccount | None = None
    record: OpenRecording | None = None
    credentials: tuple[str, ...] = ()


def discover() -> dict[str, Provider]:
    """Find the providers: every folder here that exports `PROVIDER`, by name, in order of name.

    A folder that reaches several CRMs in one way exports `PROVIDERS` instead, a tuple. A folder
    without either (mappings only, or not finished) is skipped.

    >>> "stub" in discover()
    True
    """
    found: dict[str, Provider] = {}
    for module in pkgutil.iter_modules(__path__):
        folder = importlib.import_module(f"{__name__}.{module.name}") if module.ispkg else None
        offered = getattr(folder, "PROVIDERS", None) or (getattr(folder, "PROVIDER", None),)
        found |= {one.name: one for one in offered if isinstance(one, Provider)}
    return dict(sorted(found.items()))
