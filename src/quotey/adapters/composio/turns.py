"""Before and after a request: a turn in the budgets, and what its answer teaches about them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from quotey.adapters.composio.budget import CONNECTION, ORGANISATION, Budget, Wait
from quotey.adapters.composio.ops import Failed, Kind, Op, Outcome, Reply
from quotey.adapters.composio.settings import ComposioSettings
from quotey.contract.errors import StoreBusyError, StoreError
from quotey.contract.shared import Shared

Closed = Callable[[Reply], float | None]
"""Reads from the provider's answer for how many seconds it will answer nobody of us any more."""


def never_closed(_reply: Reply) -> float | None:
    """Read nothing: the provider tells only by refusing."""
    return None


class Turns:
    """Gives requests their turn. What we were asked to wait is noted only where it is shared.

    An adapter that is alone leaves that to whoever calls it: it has no memory.
    """

    def __init__(
        self,
        settings: ComposioSettings,
        budget_on: Callable[[Shared], Budget],
        shared: Shared,
        *,
        closed: Closed = never_closed,
    ) -> None:
        self._settings = settings
        self._budget_on = budget_on
        self._budget = budget_on(shared)
        self._closed = closed
        self._is_shared = False

    def share(self, shared: Shared) -> None:
        """Keep the budgets where other processes see them."""
        self._budget = self._budget_on(shared)
        self._is_shared = True

    def refused(self, op: Op, timeout: float) -> Failed | None:
        """Wait for a turn; what is told when there is none."""
        patience = min(self._settings.patience, timeout)
        try:
            wait = self._budget.admit(op.family, interactive=op.interactive, patience=patience)
        except (StoreError, StoreBusyError) as error:
            why = f"the budgets that processes share cannot be used: {error.message}"
            return Failed(kind=Kind.TRANSIENT, message=why, code="budgets")
        return _no_turn(wait) if wait.seconds else None

    def learn(self, op: Op, outcome: Outcome) -> None:
        """Note for how long everybody has to keep away, if so."""
        seconds = self._asked(outcome) if self._is_shared else None
        if seconds:
            # The answer counts; that it could not be noted is met by the next request.
            with suppress(StoreError, StoreBusyError):
                self._budget.keep_away(self._scope(op, outcome), seconds)

    def _asked(self, outcome: Outcome) -> float | None:
        if isinstance(outcome, Reply):
            return self._closed(outcome)
        limited = outcome.kind is Kind.RATE_LIMIT
        return outcome.wait_seconds or self._settings.edge_wait if limited else None

    def _scope(self, op: Op, outcome: Outcome) -> str:
        if isinstance(outcome, Failed) and not outcome.by_provider:
            return ORGANISATION
        narrow = isinstance(outcome, Failed) and outcome.narrow
        return self._budget.scope_of(op.family) if narrow else CONNECTION


def _no_turn(wait: Wait) -> Failed:
    """Tell why nothing was sent: we were asked to keep away, or we keep to our own budget."""
    own = "our own budget of requests is spent", "budget"
    why, code = ("we were asked to wait", "asked_to_wait") if wait.asked else own
    return Failed(kind=Kind.RATE_LIMIT, message=why, code=code, wait_seconds=wait.seconds)
