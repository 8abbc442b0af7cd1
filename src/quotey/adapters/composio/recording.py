"""Recordings of a connection: what went through the door, concealed, and what a replay needs.

Nothing is written here; the front door does that with what `left_in` has passed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

import msgspec

from quotey.adapters import Concealed, Recording
from quotey.adapters.composio.opening import World
from quotey.adapters.composio.settings import ComposioSettings
from quotey.adapters.composio.vocabulary import HOOKS, PERSONAL, address, headers, kinds_of
from quotey.contract.adapter import CrmAdapter
from quotey.contract.errors import UsageError
from quotey.contract.fields import BY_PATH
from quotey.contract.mapping import Mapping
from quotey.contract.secret import Secret
from quotey.wire import (
    Answered,
    Concealer,
    Kind,
    Known,
    Outcome,
    Pseudonyms,
    Request,
    Unreadable,
    digits_of,
    leaks,
    pairs_of,
    read_json,
    written,
)

NO_JSON = "(not JSON: left out)"
_NOT_REPLAYED = ("api_key", "base_url", "loopback", "auth_config_id")
_ACCOUNTS = ("connected_account_id", "user_id")
_ADDRESSES = ("provider_url", "instance_url")

OpenListening = Callable[[World], CrmAdapter]


class ComposioRecording(Recording):
    """Opens an adapter whose requests are heard; see `Recording`."""

    def __init__(
        self,
        open_adapter: OpenListening,
        settings: ComposioSettings,
        mapping: Mapping,
        *,
        key: bytes,
        keep: frozenset[str],
    ) -> None:
        self._concealer = _concealer(mapping, key, keep)
        self._settings = settings
        self._heard: list[tuple[Request, Outcome]] = []
        self.adapter = open_adapter(World(listener=self._hear))

    @property
    def transport(self) -> str:
        """Which of the service's two ways was taken."""
        return self._settings.transport

    def _hear(self, request: Request, outcome: Outcome) -> None:
        self._heard.append((request, outcome))

    def exchanges(self) -> list[bytes]:
        """Give what was heard as JSON, one exchange each; raises RefusedError as the concealer."""
        return [
            written(
                {"seq": seq, "request": self._request(request), "answer": self._answer(outcome)}
            )
            for seq, (request, outcome) in enumerate(self._heard, start=1)
        ]

    def _request(self, request: Request) -> dict[str, object]:
        concealer = self._concealer
        shown = {
            name: value for name, value in request.headers.items() if not isinstance(value, Secret)
        }
        return {
            "method": request.method,
            "path": address(concealer, urlsplit(request.url).path),
            "headers": headers(concealer, shown),
            "body": _concealed_body(concealer, request.body),
        }

    def _answer(self, outcome: Outcome) -> dict[str, object] | None:
        """Give an answer; None where none came whole."""
        if not isinstance(outcome, Answered):
            return None
        return {
            "status": outcome.status,
            "headers": headers(self._concealer, outcome.headers),
            "body": _concealed_body(self._concealer, outcome.body),
        }

    def record(self, payload: bytes) -> object:
        """Conceal the payload of one record."""
        return self._concealer.document(read_json(payload))

    def settings(self) -> dict[str, object]:
        """Give the settings with which an adapter asks what was recorded."""
        found: dict[str, object] = msgspec.structs.asdict(self._settings)
        make = self._concealer.make
        for name in _NOT_REPLAYED:
            del found[name]
        for name in _ACCOUNTS:
            found[name] = make.opaque(str(found[name]))
        for name in _ADDRESSES:
            if name in found:
                found[name] = address(self._concealer, str(found[name]))
        return {name: value for name, value in found.items() if value is not None}

    def concealed(self) -> tuple[Concealed, ...]:
        """Count what was replaced, by what it was."""
        counts = self._concealer.replaced
        originals = self._concealer.originals
        return tuple(
            Concealed(kind=kind.value, values=counts[kind], different=len(originals[kind]))
            for kind in Kind
            if kind in counts
        )

    def left_in(self, content: bytes) -> tuple[str, ...]:
        """Name what a text still holds that was to be concealed."""
        originals, settings = self._concealer.originals, self._settings
        account = settings.connected_account_id
        known = Known(
            secrets=frozenset({settings.api_key.reveal(), account, settings.auth_config_id} - {""}),
            addresses=frozenset(self._concealer.make.addresses),
            phones=digits_of(originals.get(Kind.PHONE, set())),
            names=pairs_of(originals.get(Kind.NAME, set())),
        )
        return leaks(content, known)


def _concealer(mapping: Mapping, key: bytes, keep: frozenset[str]) -> Concealer:
    _refuse_kept(keep)
    try:
        kinds = kinds_of(mapping, keep)
    except ValueError as error:
        raise UsageError(f"{error}. Nothing was recorded.") from error
    return Concealer(Pseudonyms(key), kinds, HOOKS, named_by="propertyName")


def _refuse_kept(keep: frozenset[str]) -> None:
    unknown: Sequence[str] = sorted(keep - set(BY_PATH))
    if unknown:
        raise UsageError(f"{', '.join(unknown)}: no such field. Nothing was recorded.")
    if personal := sorted(keep & PERSONAL):
        raise UsageError(
            f"{', '.join(personal)}: what tells who a person is is never kept. "
            "Nothing was recorded."
        )


def _concealed_body(concealer: Concealer, content: bytes) -> object:
    """Conceal a body; one that is no JSON cannot be judged, so nothing of it is kept."""
    if not content:
        return None
    try:
        document = read_json(content)
    except Unreadable:
        return NO_JSON
    return concealer.document(document)
