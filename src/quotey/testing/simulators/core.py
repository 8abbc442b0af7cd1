"""What every simulator core shares: one request at a time, faults, a log for oracles.

A core is a vendor without a socket; `server` gives it one, the gateway calls it directly.
"""

import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import datetime, timedelta

from msgspec import Struct

from quotey.testing.simulators.clock import Clock, Dice, http_date
from quotey.testing.simulators.exchange import Broken, Request, Response, html
from quotey.testing.simulators.faults import Fault, FaultQueue

# What the log never keeps: an oracle needs to know that a credential came, not which.
_SECRET_HEADERS = frozenset(
    {"authorization", "x-api-key", "x-user-api-key", "x-org-api-key", "cookie"}
)


class Exchange(Struct, frozen=True):
    """One request in the log, with what became of it."""

    seq: int
    at: datetime
    core: str
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    status: int
    """0 when no complete answer was sent."""
    fault: str
    effects: int
    """How many times the operation was carried out during this exchange."""


class Effect(Struct, frozen=True):
    """One change of a record, for oracles that count business effects."""

    at: datetime
    kind: str
    record_type: str
    record_id: str
    fields: tuple[str, ...] = ()


class Core(ABC):
    """A simulated service: stateful, deterministic by seed, on a given clock."""

    name: str
    prefixes: tuple[str, ...]
    """The beginnings of the paths that belong to this service."""

    def __init__(self, clock: Clock, seed: int) -> None:
        self.clock = clock
        self.dice = Dice(seed, self.name)
        self.faults = FaultQueue()
        self.log: list[Exchange] = []
        self.effects: list[Effect] = []
        self.guard = threading.RLock()
        self._late: list[tuple[datetime, Request]] = []
        self._carried = 0

    @abstractmethod
    def handle(self, request: Request) -> Response:
        """Carry a request out."""

    @abstractmethod
    def failure(self, fault: Fault) -> Response:
        """The answer by which this vendor shows such a fault."""

    @abstractmethod
    def settle(self) -> None:
        """Let what is due happen: background work that the passing of time completes."""

    def exchange(self, request: Request) -> Response | Broken:
        """Answer a request, or break as the next fault demands. Safe from several threads."""
        with self.guard:
            self.clock.tick()
            self._carried = 0
            self.wake()
            fault = self.faults.take(f"{self.name} {request.method} {request.path}")
            outcome = self._carry(request) if fault is None else self._strike(request, fault)
            self._write_down(request, outcome, fault)
            return outcome

    def wake(self) -> None:
        """Bring the state up to the present: late effects first, then background work."""
        now = self.clock.now()
        due = [request for at, request in self._late if at <= now]
        self._late = [(at, request) for at, request in self._late if at > now]
        for request in due:
            self.settle()
            self.handle(request)
        self.settle()

    def _carry(self, request: Request) -> Response:
        self._carried += 1
        response = self.handle(request)
        # crm-semantics.md 2H: the Date header is what a reader takes its window from.
        return response.with_headers({"date": http_date(self.clock.now())})

    def _strike(self, request: Request, fault: Fault) -> Response | Broken:
        match fault.kind:
            case "timeout":
                if fault.effect:
                    self._carry(request)
                return Broken(hold=fault.hold)
            case "late":
                due = self.clock.now() + timedelta(seconds=fault.delay)
                self._late.append((due, request))
                return Broken(hold=fault.hold)
            case "truncated":
                return Broken(hold=fault.hold, partial=self._carry(request))
            case "duplicate":
                self._carry(request)
                return self._carry(request)
            case _:
                if fault.effect:
                    self._carry(request)
                return self._shown(fault)

    def _shown(self, fault: Fault) -> Response:
        page = fault.kind == "html"
        response = html(fault.status or 200, "Service page") if page else self.failure(fault)
        return response.with_headers({"date": http_date(self.clock.now())})

    def _write_down(
        self, request: Request, outcome: Response | Broken, fault: Fault | None
    ) -> None:
        kept = {k: ("***" if k in _SECRET_HEADERS else v) for k, v in request.headers.items()}
        self.log.append(
            Exchange(
                seq=len(self.log) + 1,
                at=self.clock.now(),
                core=self.name,
                method=request.method,
                target=request.target,
                headers=kept,
                body=request.body,
                status=outcome.status if isinstance(outcome, Response) else 0,
                fault=fault.kind if fault else "",
                effects=self._carried,
            )
        )
