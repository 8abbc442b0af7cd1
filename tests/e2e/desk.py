"""A whole Quotey in a folder, connected to a Tryton as its operator would."""

from __future__ import annotations

from pathlib import Path

from quotey.app.facade import Quotey, open_quotey
from quotey.sync.clock import Clock
from tests.e2e.hands import PASSWORD
from tests.e2e.prepared import OURS

CONFIG = """
[connections.main]
provider = "tryton"
base_url = "{url}"
database = "demo"
user = "{user}"
loopback = true
default_currency = "EUR"
"""


def environ() -> dict[str, str]:
    """Give where the password comes from."""
    return {"QUOTEY_CONNECTIONS__MAIN__PASSWORD": PASSWORD}


def open_on(url: str, folder: Path, clock: Clock | None = None) -> Quotey:
    """Open a Quotey whose files are in this folder."""
    (folder / "quotey.toml").write_text(CONFIG.format(url=url, user=OURS))
    return open_quotey(cwd=folder, environ=environ(), clock=clock)


def own_id(quotey: Quotey) -> str:
    """Give our id of the deal that the conformance suite's hands make."""
    found = quotey.lookup_deal("Conformance deal").records
    assert len(found) == 1
    return found[0].id
