"""Whether it is clear which CRM is meant: never the stub while somebody means to go live (seed 8).

Only names of variables are looked at, never what they hold.
"""

from __future__ import annotations

from msgspec.structs import fields

from quotey.adapters import Provider, discover
from quotey.app.wiring import House
from quotey.config import Settings
from quotey.config.reading import PREFIX
from quotey.contract.errors import ConfigError
from quotey.contract.secret import Secret


def refuse_unclear(house: House) -> None:
    """Raise ConfigError when the stub would be used while credentials of a live CRM are set.

    Somebody who exported a key believes that quotes reach the CRM; with the stub they would not.
    """
    settings = house.settings
    if house.mode != "stub" or settings.demo:
        return
    found = live_credentials(settings, discover())
    if found:
        raise ConfigError(
            f"{', '.join(found)} is set, but connection {house.connection} is the stub, from which "
            "nothing reaches a CRM. Say --demo to use the stub all the same, or give the "
            "connection its provider. Nothing was changed.",
            next=("quotey --help",),
        )


def live_credentials(settings: Settings, providers: dict[str, Provider]) -> tuple[str, ...]:
    """Name the variables of the environment that open a live CRM, in order."""
    known = {name for one in providers.values() for name in one.credentials}
    for name, connection in settings.connections.items():
        provider = providers.get(connection.provider)
        if provider is not None and not provider.is_stub:
            secrets = (one.encode_name for one in fields(provider.settings) if one.type is Secret)
            known |= {f"{PREFIX}CONNECTIONS__{name}__{option}".upper() for option in secrets}
    return tuple(sorted(known & settings.variables))
