"""The gateway's own log of executions: how a caller settles what a time-out left unknown.

Source: composio.md 1.9 "POST /logs/tool_execution".
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from msgspec import Struct

from quotey.testing.simulators.clock import Clock
from quotey.testing.simulators.composio.documents import Account, iso
from quotey.testing.simulators.composio.errors import GatewayError, answer, shaped
from quotey.testing.simulators.exchange import Doc, Request, Response


class Condition(Struct, frozen=True):
    """One filter of a log search."""

    field: str
    operator: Literal["==", "!=", "contains", "not_contains"]
    value: str


class LogEntry(Struct, frozen=True):
    """One execution, found by the caller's request id."""

    log_id: str
    request_id: str
    at: datetime
    tool_slug: str
    toolkit_slug: str
    connected_account_id: str
    user_id: str
    status: str

    @property
    def fields(self) -> dict[str, str]:
        """What a search can ask for (1.9)."""
        return {
            "log_id": self.log_id,
            "request_id": self.request_id,
            "tool_slug": self.tool_slug,
            "toolkit_slug": self.toolkit_slug,
            "connected_account_id": self.connected_account_id,
            "user_id": self.user_id,
            "status": self.status,
        }

    def doc(self) -> Doc:
        """The entry on the wire, as a search lists it."""
        return {
            "id": self.log_id,
            "timestamp": iso(self.at),
            "type": "tool.execution",
            "status": self.status,
            "level": "info",
            "message": None,
            "metadata": self.fields,
            "metrics": {},
        }

    def whole(self) -> Doc:
        """The entry with what else is known of it."""
        context = {"request_id": self.request_id, "trace_id": None, "session_id": None}
        return {**self.doc(), "context": context, "source": {}, "data": {}}


class Logbook:
    """What was executed, in order."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.entries: list[LogEntry] = []

    def next_id(self) -> str:
        """The id that the next entry gets."""
        return f"log_sim{len(self.entries) + 1}"

    def enter(self, request: Request, slug: str, account: Account) -> str:
        """Write an execution down before it is carried out; gives its id."""
        entry = LogEntry(
            log_id=self.next_id(),
            request_id=request.headers.get("x-request-id", ""),
            at=self._clock.now(),
            tool_slug=slug,
            toolkit_slug=account.toolkit,
            connected_account_id=account.account_id,
            user_id=account.user_id,
            status="success",
        )
        self.entries.append(entry)
        return entry.log_id

    def serve(self, asked: Doc, rest: tuple[str, ...]) -> Response:
        """Answer a search by filters, or one entry."""
        if rest:
            found = next((one for one in self.entries if one.log_id == rest[0]), None)
            if found is None:
                raise GatewayError(404, "Log not found", 404, "Log_NotFound")
            return answer(200, found.whole())
        conditions = shaped(asked.get("filters") or [], list[Condition])
        kept = [e.doc() for e in self.entries if all(_holds(e.fields, f) for f in conditions)]
        limit = shaped(asked.get("limit") or 20, int)
        start = shaped(asked.get("cursor") or 0, int)
        more = str(start + limit) if start + limit < len(kept) else None
        return answer(200, {"logs": kept[start : start + limit], "next_cursor": more})


def _holds(fields: Mapping[str, str], condition: Condition) -> bool:
    found, value = fields.get(condition.field, ""), condition.value
    return {
        "==": found == value,
        "!=": found != value,
        "contains": value in found,
        "not_contains": value not in found,
    }[condition.operator]
