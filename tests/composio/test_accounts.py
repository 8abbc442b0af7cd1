"""Answers of the service about its own records that are not to be taken."""

from __future__ import annotations

from contextlib import closing

import pytest

from quotey.adapters.composio.accounts import Accounts
from quotey.adapters.composio.settings import HubSpotSettings
from quotey.contract.errors import RemoteFailure
from quotey.contract.secret import Secret
from quotey.wire import Door
from tests.wire.server import answering, plain


def asked(body: bytes) -> object:
    """Ask for an account of a service that answers so."""
    with (
        answering(plain(body, "connection: close")) as server,
        closing(Door(frozenset(), loopback=True)) as door,
    ):
        settings = HubSpotSettings(
            api_key=Secret("canary"), base_url=server.url.removesuffix("/x"), loopback=True
        )
        return Accounts(settings, "hubspot", door=door, ids=lambda: "r_1").get("ca_1")


def test_an_answer_that_names_a_key_twice_is_not_taken() -> None:
    assert asked(b'{"id":"ca_1","status":"ACTIVE"}') is not None
    with pytest.raises(RemoteFailure, match="names a key twice"):
        asked(b'{"id":"ca_1","status":"EXPIRED","status":"ACTIVE"}')
