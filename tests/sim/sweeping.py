"""The line of a CRM whose index loses changes for good, so that only a list of ids tells of them.

Reliability 2.C: lag beyond what was promised, ends that no feed tells, records that vanish from our
sight although they live. The list is made of the tables themselves; what it leaves out is not gone.
"""

from __future__ import annotations

from datetime import timedelta

from quotey.contract.adapter import Call
from quotey.contract.dto import Ends, IdPage, Listed
from quotey.contract.fields import Entity
from tests.sim.answers import remote
from tests.sim.crm import Revision
from tests.sim.line import Line
from tests.sim.scheduler import START


class SweepingLine(Line):
    """A line that can list what is there: one more ability of an adapter (`Sweepable`)."""

    def list_ids(
        self, entity: Entity, place: str, *, read_to: str, limit: int, call: Call
    ) -> IdPage:
        """List what lives after a place, by ref; now and then one of them is out of our sight."""
        size = min(limit, self.page_size)

        def read() -> IdPage:
            refs = [ref for ref in sorted(self.crm.refs(str(entity))) if ref > place]
            page = refs[:size]
            shown = [ref for ref in page if not self.dice.strikes("unlisted")]
            return IdPage(
                entity=entity,
                listed=tuple(self._listed(entity, ref, read_to) for ref in shown),
                next_place=page[-1] if page else place,
                has_more=len(refs) > size,
            )

        return self._ask("list_ids", read, call)

    def find_ends(
        self, entity: Entity, crm_refs: tuple[str, ...], *, read_to: str, call: Call
    ) -> Ends:
        """Tell what became of records: an end has its evidence, of the others nothing is known."""

        def read() -> Ends:
            known = {ref: self.crm.now(str(entity), ref) for ref in crm_refs}
            ended = {ref: one for ref, one in known.items() if one is not None and one.gone}
            return Ends(
                records=tuple(remote(ref, one) for ref, one in ended.items()),
                due=frozenset(ref for ref, one in ended.items() if _is_due(one, read_to)),
            )

        return self._ask("find_ends", read, call)

    def _listed(self, entity: Entity, ref: str, read_to: str) -> Listed:
        one = self.crm.living(str(entity), ref)
        return Listed(
            crm_ref=ref,
            source_ts=START + timedelta(seconds=one.stamp),
            source_version=str(one.number),
            due=_is_due(one, read_to),
        )


def _is_due(one: Revision, read_to: str) -> bool:
    """Whether reading stands behind this moment already, and so never comes back to it."""
    return one.stamp < int((read_to or "-1").split("/")[0])
