"""The stub's adapter with single operations bent, for answers that no stub would give."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from quotey.contract.adapter import CrmAdapter
from quotey.contract.errors import ErrorClass, Outcome, RemoteFailure

Op = Callable[..., Any]
"""An operation of an adapter, whatever it takes."""


class _Bent:
    def __init__(self, inner: CrmAdapter, bent: dict[str, object]) -> None:
        self._inner = inner
        self._bent = bent

    def __getattr__(self, name: str) -> object:
        return self._bent.get(name) or getattr(self._inner, name)


def bend(inner: CrmAdapter, **bent: object) -> CrmAdapter:
    """Give the adapter with these operations or properties replaced."""
    return cast("CrmAdapter", _Bent(inner, bent))


def failing(error_class: ErrorClass, outcome: Outcome = Outcome.NOT_APPLIED) -> Op:
    """Give an operation that always fails so."""

    def fail(*args: object, **kwargs: object) -> None:
        raise RemoteFailure("bent", error_class=error_class, outcome=outcome)

    return fail


def first(do: Callable[[], object], op: Op) -> Op:
    """Give the operation with something that happens before it."""

    def call(*args: object, **kwargs: object) -> object:
        do()
        return op(*args, **kwargs)

    return call


def then(op: Op, change: Callable[[Any], object]) -> Op:
    """Give the operation with its answer changed."""

    def call(*args: object, **kwargs: object) -> object:
        return change(op(*args, **kwargs))

    return call


def answering(answer: object) -> Op:
    """Give an operation that always answers the same, without asking the CRM."""
    return lambda *_args, **_kwargs: answer


OPERATIONS = (
    "sync_incremental",
    "read_records",
    "get_quote_marker",
    "write_quote",
    "create_deal",
    "update_deal",
    "update_account",
)


def watched(inner: CrmAdapter, see: Callable[[str], object]) -> CrmAdapter:
    """Give the adapter with `see` told the name of every request before it leaves."""

    def seen(name: str) -> Op:
        return first(lambda: see(name), getattr(inner, name))

    return bend(inner, **{name: seen(name) for name in OPERATIONS})
