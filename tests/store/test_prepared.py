"""A statement is prepared once, however many pages of records follow one another."""

from __future__ import annotations

from itertools import count

import apsw

from quotey.contract.fields import Entity
from quotey.store import Store
from tests.store.make import deal, event


def a_page(store: Store, number: int) -> None:
    """Look up and write a hundred records, as a page of a sync does."""
    records = [deal(number * 100 + n) for n in range(100)]
    refs = [record.crm_ref or "" for record in records]
    ids = [record.id for record in records]
    with store.transaction():
        store.records.hashes("main", Entity.DEAL, refs)
        store.records.by_refs("main", Entity.DEAL, refs)
        store.quarantine.by_refs("main", Entity.DEAL, refs)
        store.items.open_for(Entity.DEAL, ids)
        store.records.put_many(records)
        store.audit.append([event(n) for n in range(100)])


def test_the_second_page_prepares_nothing(store: Store) -> None:
    a_page(store, 1)
    asked = count()

    def note(*_: object) -> int:
        next(asked)
        return apsw.SQLITE_OK

    store._db.connection.set_authorizer(note)
    a_page(store, 2)
    first = next(asked)  # a new authorizer makes SQLite prepare everything once more
    a_page(store, 3)
    assert first > 0
    assert next(asked) == first + 1
