"""What a sweep asks of the stub: a list of all that lives, and what became of the rest.

The stub's rows are its index too, so nothing lags; reading misses something only when a fault makes
it. Source: reliability R7.
"""

from __future__ import annotations

from quotey.adapters.stub.crm import StubCrm, version_text
from quotey.adapters.stub.drawer import Stored
from quotey.adapters.stub.pages import read_cursor
from quotey.contract.dto import Ends, IdPage, Listed
from quotey.contract.fields import Entity


def id_page(crm: StubCrm, entity: Entity, place: str, read_to: str, limit: int) -> IdPage:
    """List the living records after a ref, at most `limit` of them."""
    found = crm.drawer.living(entity, place, limit + 1)
    page, read = found[:limit], read_cursor(crm, read_to)[0]
    return IdPage(
        entity=entity,
        listed=tuple(_listed(crm, stored, read) for stored in page),
        next_place=page[-1].ref if page else place,
        has_more=len(found) > limit,
    )


def _listed(crm: StubCrm, stored: Stored, read: int) -> Listed:
    return Listed(
        crm_ref=stored.ref,
        source_ts=crm.drawer.moment(stored),
        source_version=version_text(stored.revision),
        due=stored.revision <= read,
    )


def ends_of(crm: StubCrm, entity: Entity, refs: tuple[str, ...], read_to: str) -> Ends:
    """Tell which of these were deleted or merged, and which are there."""
    read = read_cursor(crm, read_to)[0]
    found = [stored for ref in refs if (stored := crm.drawer.get(entity, ref)) is not None]
    gone = [stored for stored in found if stored.gone]
    return Ends(
        records=tuple(crm.remote(stored) for stored in gone),
        living=frozenset(stored.ref for stored in found if not stored.gone),
        due=frozenset(stored.ref for stored in gone if stored.revision <= read),
    )
