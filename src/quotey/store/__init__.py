"""The memory: effects are kept here, decisions are not taken here."""

from quotey.store.chain import ChainHead, ChainReport
from quotey.store.guard import QUOTE_TABLES, Role
from quotey.store.items import ItemGroup
from quotey.store.place import Place
from quotey.store.records import Known
from quotey.store.restore import Orders, Restored, restore
from quotey.store.shared import SharedNotes
from quotey.store.store import Store, open_store

__all__ = [
    "QUOTE_TABLES",
    "ChainHead",
    "ChainReport",
    "ItemGroup",
    "Known",
    "Orders",
    "Place",
    "Restored",
    "Role",
    "SharedNotes",
    "Store",
    "open_store",
    "restore",
]
