"""Quotes and their versions: the only truth of them (seed 4.1). The role "sync" can only read."""

from __future__ import annotations

from quotey.contract.errors import StoreError
from quotey.contract.quote import Quote, QuoteVersion
from quotey.store.database import Database
from quotey.store.faults import NOTHING_CHANGED
from quotey.store.shapes import Cell, Row, Shape, to_text, to_time

VERSION = Shape(QuoteVersion, "lines")
_OWN_COLUMNS = 5


class Quotes:
    """Quotes; versions are never changed and only grow."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def get(self, id_: str) -> Quote | None:
        """Give a quote with its newest version."""
        return self._first("quotes_get", id=id_)

    def list(
        self, deal_id: str | None = None, limit: int = 100, after: str = ""
    ) -> tuple[Quote, ...]:
        """Give quotes by id; `after` is the last id of the page before."""
        params = {"deal_id": deal_id, "limit": limit, "after": after}
        return tuple(map(_read, self._db.rows("quotes_list", params)))

    def versions(self, id_: str) -> tuple[QuoteVersion, ...]:
        """Give every version, oldest first."""
        params = {"quote_id": id_, "version": None}
        return VERSION.read_all(self._db.rows("quotes_versions", params))

    def version(self, id_: str, version: int) -> QuoteVersion | None:
        """Give one version."""
        row = self._db.row("quotes_versions", {"quote_id": id_, "version": version})
        return None if row is None else VERSION.read(row)

    def add(self, quote: Quote) -> None:
        """Store a quote with its first version (`quote.current`). Its deal must be mirrored."""
        self._db.write(
            "quotes_add",
            {
                "id": quote.id,
                "deal_id": quote.deal_id,
                "connection": quote.connection,
                "published": int(quote.published),
                "created_at": to_text(quote.created_at),
            },
        )
        self.add_version(quote.current)

    def add_version(self, version: QuoteVersion) -> None:
        """Store a further version. StoreError unless it is higher than all before."""
        self._db.write("quotes_add_version", VERSION.write(version))

    def set_published(self, deal_id: str, quote_id: str) -> None:
        """Make this the deal's only published quote. StoreError when it is none of the deal's."""
        params = {"deal_id": deal_id, "quote_id": quote_id}
        self._db.write("quotes_unpublish", params)
        if self._db.write("quotes_publish", params) == 0:
            raise StoreError(f"Quote {quote_id} is not of deal {deal_id}. {NOTHING_CHANGED}")

    def published(self, deal_id: str) -> Quote | None:
        """Give the deal's published quote."""
        return self._first("quotes_published", deal_id=deal_id)

    def _first(self, name: str, **params: Cell) -> Quote | None:
        row = self._db.row(name, params)
        return None if row is None else _read(row)


def _read(row: Row) -> Quote:
    id_, deal_id, connection, published, created_at = row[:_OWN_COLUMNS]
    return Quote(
        id=id_,
        deal_id=deal_id,
        connection=connection,
        published=bool(published),
        created_at=to_time(created_at),
        current=VERSION.read(row[_OWN_COLUMNS:]),
    )
