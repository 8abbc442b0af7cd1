"""The only wiring: from settings to stores, mapping, adapter and ports, each opened when needed.

No command is here; each opened thing is opened once and given back by `close`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import msgspec

from quotey.adapters import Provider, discover
from quotey.app.ids import new_correlation_id
from quotey.app.mapping_files import plain, read_text
from quotey.app.options import read_options, secrets_of
from quotey.app.places import place_of, shared_notes
from quotey.config import Connection, Settings
from quotey.contract.adapter import CrmAdapter, Sharing
from quotey.contract.errors import ConfigError, MappingError, UsageError
from quotey.contract.mapping import Mapping
from quotey.contract.secret import Secret
from quotey.desk.ports import DeskPorts
from quotey.store import Role, SharedNotes, Store, open_store
from quotey.sync.clock import Clock, SystemClock, fresh_id, roll

if TYPE_CHECKING:  # structlog costs more to import than a status takes
    from quotey.sync.ports import Ports, Progress, Run

DATABASE = "quotey.db"


class House:
    """Everything that one Quotey holds open. Not for several threads."""

    def __init__(
        self,
        settings: Settings,
        *,
        correlation_id: str | None = None,
        clock: Clock | None = None,
        ids: Callable[[str], str] = fresh_id,
        jitter: Callable[[], float] = roll,
        log_to: TextIO | None = None,
    ) -> None:
        self.settings = settings
        self.clock = clock or SystemClock()
        self.ids = ids
        self.jitter = jitter
        self.connection = settings.connection
        self._given_correlation_id = correlation_id
        self.watching = False
        self._log_to = log_to
        self._open = ExitStack()

    def close(self) -> None:
        """Give back files and sockets; may be called twice."""
        self._open.close()

    def now(self) -> datetime:
        """Give the present moment, in UTC."""
        return self.clock.now()

    def correlation_id(self) -> str:
        """Give the command's correlation id: the one given from outside, or a new one."""
        return self._given_correlation_id or new_correlation_id(self.ids)

    # --- the connection ---------------------------------------------------------------------------

    @property
    def chosen(self) -> Connection:
        """The connection's own settings."""
        return self.settings.connections[self.connection]

    @cached_property
    def provider(self) -> Provider:
        """The provider of the connection. Raises ConfigError when there is no such provider."""
        providers = discover()
        name = self.chosen.provider
        if name in providers:
            return providers[name]
        near = get_close_matches(name, providers, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(providers)}"
        raise ConfigError(
            f"Connection {self.connection} names the provider {name}, which is not here; {hint}"
        )

    @property
    def mode(self) -> str:
        """Either "stub" (nothing leaves this machine) or "live"."""
        return "stub" if self.provider.is_stub else "live"

    @cached_property
    def options(self) -> msgspec.Struct:
        """The provider's Settings. Raises ConfigError with every problem."""
        return read_options(self.connection, self.chosen, self.provider.settings)

    @cached_property
    def mapping(self) -> Mapping:
        """The shipped mapping, with the user's own laid over it. Raises MappingError."""
        return self.laid_over(own) if (own := self.own_file) else self.readable_shipped

    def laid_over(self, file: Path) -> Mapping:
        """Give the shipped mapping with this file laid over it. Raises MappingError."""
        from quotey.contract.mapping_file import parse_mapping

        over = self.shipped_mapping
        with helped(("quotey crm mapping check",)):
            return self.with_currency(parse_mapping(read_text(file), name=file.name, over=over))

    def with_currency(self, mapping: Mapping) -> Mapping:
        """Give the mapping with the connection's currency, where it names none itself."""
        from quotey.contract.mapping_file import with_default_currency

        with helped(("quotey crm doctor",)):
            currency = self.provider.default_currency(self.options)
        if mapping.default_currency is not None or currency is None:
            return mapping
        return with_default_currency(mapping, currency)

    @cached_property
    def shipped_mapping(self) -> Mapping:
        """The mapping that comes with the provider or its data set."""
        from quotey.contract.mapping_file import parse_mapping

        with helped(("quotey crm doctor",)):
            text = self.provider.shipped_mapping(self.options)
            return parse_mapping(text, name=self.shipped_mapping_name)

    @property
    def shipped_mapping_name(self) -> str:
        """How messages call the mapping that comes with the provider or its data set."""
        return f"the {self.provider.name}'s own mapping"

    @property
    def own_mapping(self) -> Path:
        """Where the user's own mapping of this connection may be."""
        return self.settings.mappings / f"{self.connection}.toml"

    @property
    def own_file(self) -> Path | None:
        """The user's own mapping, if there is one. Raises MappingError where it is no file."""
        return plain(self.own_mapping)

    @cached_property
    def adapter(self) -> CrmAdapter:
        """The door to the CRM."""
        adapter = self.provider.open(
            self.options, self.mapping, self.connection, home=self.settings.home
        )
        self._open.callback(adapter.close)
        if isinstance(adapter, Sharing):
            adapter.share(self.shared)
        return adapter

    @cached_property
    def shared(self) -> SharedNotes:
        """What all processes of the home see; the file is made when it is first used."""
        return self._open.enter_context(closing(shared_notes(self.settings, self.clock)))

    def reopen_adapter(self) -> None:
        """Forget the door to the CRM, so that the next use opens it anew; `close` closes both."""
        self.__dict__.pop("adapter", None)

    @cached_property
    def tools(self) -> Any:  # noqa: ANN401 - each provider has its own
        """The provider's own tools. Raises ConfigError when it has none."""
        if self.provider.tools is None:
            raise ConfigError(f"The provider {self.provider.name} has no commands of its own.")
        tools = self.provider.tools(
            self.options, self.mapping, self.connection, home=self.settings.home
        )
        self._open.callback(tools.close)
        return tools

    # --- the stores -------------------------------------------------------------------------------

    def store(self, role: Role) -> Store:
        """Open the database in a role; "desk" for commands, "sync" cannot write quotes (G1)."""
        place = place_of(self.settings)
        store = open_store(self.settings.home / DATABASE, role=role, place=place)
        self._open.callback(store.close)
        return store

    @cached_property
    def desk(self) -> Store:
        """The connection of local commands."""
        return self.store("desk")

    @cached_property
    def sync_store(self) -> Store:
        """The connection of the sync."""
        return self.store("sync")

    @cached_property
    def admin(self) -> Store:
        """The connection of `quotey db`."""
        return self.store("admin")

    @property
    def desk_ports(self) -> DeskPorts:
        """What a local command is given, with its correlation id; no adapter is among it."""
        return DeskPorts(
            store=self.desk,
            mapping_of=self.mapping_of,
            now=self.now,
            ids=self.ids,
            actor=self.settings.actor,
            correlation_id=self.correlation_id(),
            mode=self.mode,
            attachments=self.settings.attachments,
            home=self.settings.home,
            connections=tuple(self.settings.connections),
            shipped_mapping_of=lambda name: self.house_of(name).readable_shipped,
        )

    def mapping_of(self, connection: str) -> Mapping:
        """Give another connection's mapping. Raises UsageError when it is not configured."""
        return self.house_of(connection).mapping

    @property
    def readable_shipped(self) -> Mapping:
        """The shipped mapping with the connection's currency, without the user's own changes."""
        return self.with_currency(self.shipped_mapping)

    def house_of(self, connection: str) -> House:
        """Give the house of another connection. Raises UsageError when it is not configured."""
        if connection == self.connection:
            return self
        if connection not in self.settings.connections:
            raise UsageError(
                f"Connection {connection} is not configured any more. Nothing was changed.",
                next=("quotey crm status",),
            )
        return House(msgspec.structs.replace(self.settings, connection=connection))

    # --- the sync ---------------------------------------------------------------------------------

    def ports(
        self, correlation_id: str, progress: Callable[[Progress], None] | None = None
    ) -> Ports:
        """Give the sync all through which it reaches the world, and log under this id."""
        from quotey.app.limits import sync_limits
        from quotey.sync import ports

        self.log_under(correlation_id)
        return ports.Ports(
            store=self.sync_store,
            adapter=self.adapter,
            mapping=self.mapping,
            clock=self.clock,
            connection=self.connection,
            mode=self.mode,
            actor=self.settings.actor,
            ids=self._short_correlation,
            jitter=self.jitter,
            progress=progress or (lambda _progress: None),
            limits=sync_limits(self.settings.limits),
        )

    def _short_correlation(self, prefix: str) -> str:
        """Make ids for a sync; those of its runs are as short as those of commands."""
        return new_correlation_id(self.ids) if prefix == "c" else self.ids(prefix)

    def run(self) -> Run:
        """Give a run under a correlation id of its own, for single requests to the CRM."""
        from quotey.sync.ports import Run

        this = self.correlation_id()
        return Run(ports=self.ports(this), correlation_id=this, actor=self.settings.actor)

    def _log_level(self) -> str:
        """Give the level; a command's answer tells what went wrong, a watch has only the log."""
        if self.settings.log.level != "auto":
            return self.settings.log.level
        return "info" if self.watching else "error"

    def log_under(self, correlation_id: str) -> None:
        """Configure logging; only what talks to the CRM, or alarms, logs and pays for it."""
        from quotey.log import configure_log

        configure_log(
            level=self._log_level(),
            form=self.settings.log.format,
            stream=self._log_to or sys.stderr,
            correlation_id=correlation_id,
            mode=self.mode,
            secrets=self._hidden(),
        )

    def _hidden(self) -> tuple[str, ...]:
        """Give what no line may show; while the settings are broken, what the environment holds."""
        try:
            return secrets_of(self.options)
        except ConfigError:
            given = self.chosen.options.values()
            return tuple(value.reveal() for value in given if isinstance(value, Secret))


@contextmanager
def helped(commands: tuple[str, ...]) -> Iterator[None]:
    """Let a mapping that cannot be read tell which commands help."""
    try:
        yield
    except MappingError as error:
        error.next = error.next or commands
        raise
