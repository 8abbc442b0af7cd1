"""Standing between an adapter and the service: somebody else acts, or an answer is another one."""

from __future__ import annotations

from collections.abc import Callable

from quotey.adapters.composio.call import Caller
from quotey.adapters.composio.hubspot import HubSpotAdapter
from quotey.adapters.composio.ops import Op, Outcome, Reply
from quotey.contract.shared import Shared

Act = Callable[[Op], Outcome | None]


class Meddling:
    """A caller that lets `act` see each request first; an outcome that it gives is the answer."""

    def __init__(self, inner: Caller, act: Act) -> None:
        self._inner = inner
        self._act = act

    @property
    def sent(self) -> int:
        return self._inner.sent

    def share(self, shared: Shared) -> None:
        self._inner.share(shared)

    def call(self, op: Op, timeout: float) -> Outcome:
        return self._act(op) or self._inner.call(op, timeout)


def meddle(adapter: object, act: Act) -> HubSpotAdapter:
    """Put `act` between an adapter and its caller."""
    inner = getattr(adapter, "_inner", adapter)
    assert isinstance(inner, HubSpotAdapter)
    inner._portal._caller = Meddling(inner._portal._caller, act)
    return inner


class Altering(Meddling):
    """A caller that lets `alter` change the document of each answer on its way in."""

    def __init__(self, inner: Caller, alter: Callable[[object], None]) -> None:
        super().__init__(inner, lambda _op: None)
        self._alter = alter

    def call(self, op: Op, timeout: float) -> Outcome:
        outcome = super().call(op, timeout)
        if isinstance(outcome, Reply):
            self._alter(outcome.doc)
        return outcome


def once(name: str, do: Callable[[], object]) -> Act:
    """Act before the first request whose name begins so, and let it through."""
    left = [do]

    def act(op: Op) -> Outcome | None:
        if op.name.startswith(name) and left:
            left.pop()()
        return None

    return act


def answering(name: str, *outcomes: Outcome) -> Act:
    """Answer the first requests whose name begins so."""
    left = list(outcomes)

    def act(op: Op) -> Outcome | None:
        return left.pop(0) if op.name.startswith(name) and left else None

    return act
