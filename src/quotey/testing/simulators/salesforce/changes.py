"""What changed and what was deleted in a stretch of time.

Source: crm-semantics.md 2S "getUpdated/getDeleted".
"""

from datetime import datetime, timedelta

from quotey.testing.simulators.exchange import Doc, Request
from quotey.testing.simulators.salesforce.errors import refused
from quotey.testing.simulators.salesforce.store import Org
from quotey.testing.simulators.salesforce.values import moment_of, moment_text

_UPDATED_DAYS, _DELETED_DAYS = 30, 15


def updated(org: Org, request: Request, sobject: str) -> Doc:
    """The ids that changed; `latestDateCovered` stops before what is not yet committed."""
    start, end = _window(org, request, _UPDATED_DAYS)
    found = [
        row.row_id
        for row in org.rows[sobject].values()
        if row.deleted_at is None and start <= row.modstamp < end
    ]
    covered = min(end, org.covered_until())
    return {"ids": found, "latestDateCovered": moment_text(covered)}


def deleted(org: Org, request: Request, sobject: str) -> Doc:
    """The ids that went into the bin, with when."""
    start, end = _window(org, request, _DELETED_DAYS)
    gone = {
        row.row_id: row.deleted_at
        for row in org.rows[sobject].values()
        if row.deleted_at is not None
    }
    # 1S: what was emptied out of the bin is told here, and nowhere else.
    gone |= org.purged[sobject]
    found = [
        {"id": row_id, "deletedDate": moment_text(at)}
        for row_id, at in gone.items()
        if start <= at < end
    ]
    earliest = org.clock.now() - timedelta(days=_DELETED_DAYS)
    return {
        "deletedRecords": found,
        "earliestDateAvailable": moment_text(earliest),
        "latestDateCovered": moment_text(min(end, org.covered_until())),
    }


def _window(org: Org, request: Request, days: int) -> tuple[datetime, datetime]:
    start, end = (_minute(request, name) for name in ("start", "end"))
    if end - start < timedelta(minutes=1):
        raise refused("INVALID_REPLICATION_DATE", "startDate before endDate by a minute at least")
    if org.clock.now() - start > timedelta(days=days):
        raise refused("INVALID_REPLICATION_DATE", f"startDate must be within {days} days")
    return start, end


def _minute(request: Request, name: str) -> datetime:
    # A plus sign that was not encoded arrives as a blank.
    moment = moment_of(request.one(name).replace(" ", "+"))
    if moment is None:
        raise refused("INVALID_REPLICATION_DATE", f"{name} is not a date")
    # Seconds are ignored (inferred).
    return moment.replace(second=0, microsecond=0)
