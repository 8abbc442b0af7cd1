"""What can be set of a connection to Tryton, in `[connections.<name>]` of quotey.toml."""

from __future__ import annotations

from typing import Annotated

import msgspec

from quotey.contract.secret import Secret


class TrytonSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One database of a Tryton server.

    `base_url` is the server's address, `database` the database on it. `user` and `password` are a
    Tryton user of our own; its company and employee are those of what it creates. `loopback` lets
    the server be this machine, and then without TLS.

    `quotation` moves the sale to the state Quotation once it is written. Tryton then converts the
    deal, puts the sale's amount into it and makes it read-only; without it the sale stays a draft.

    `page_size` is how many records are asked for at once. `overlap_seconds` is how far each run
    reads back, for transactions that were slow to commit; `lag_seconds` how late a write may land.
    """

    base_url: str
    database: str
    user: str
    password: Secret
    loopback: bool = False
    quotation: bool = True
    default_currency: str | None = None
    page_size: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 100
    overlap_seconds: Annotated[int, msgspec.Meta(ge=0, le=86_400)] = 300
    lag_seconds: Annotated[int, msgspec.Meta(ge=0, le=86_400)] = 5
