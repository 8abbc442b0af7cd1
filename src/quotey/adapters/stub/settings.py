"""What can be set of a stub connection, in `[connections.<name>]` of quotey.toml."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec


class StubSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of a stub connection; with none at all it holds the bundled demo data.

    `dataset`: a folder with `dataset.toml`, or that file itself. `mapping`: a mapping file used
    instead of the data set's own and the shipped one. `page_size`: records of a page at most.
    `tier`: what it promises of writes (1 conditional, 2 unique key, 3 search only).
    `default_currency`: of deals that name none; else the data set's. `latency`: seconds that every
    call takes. `lag_seconds`: how far behind its reads are said to be.
    """

    dataset: Path | None = None
    mapping: Path | None = None
    page_size: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 200
    tier: Annotated[int, msgspec.Meta(ge=1, le=3)] = 1
    default_currency: str | None = None
    latency: Annotated[float, msgspec.Meta(ge=0, le=60)] = 0.0
    lag_seconds: Annotated[int, msgspec.Meta(ge=0, le=3600)] = 0
