"""What was heard of a failure, made fit to be kept: one line, short, without secrets.

Adapters take secrets out themselves; here is the net under them, because what a CRM says of a
failure goes into state rows, items and the audit. Source: reliability G8, 2.B.
"""

from __future__ import annotations

import re
import traceback
from pathlib import PurePath

import msgspec
import structlog

from quotey.contract.errors import ErrorClass, Outcome, RemoteFailure
from quotey.contract.secret import without_secrets

log = structlog.get_logger()

LONGEST = 500
"""Characters that are kept of what a CRM says of a failure."""

_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+")


def brief(text: str) -> str:
    r"""Give the text as it may be kept.

    >>> brief("refused:\n  key=ak_1 \x1b[2J")
    'refused: key=(hidden) [2J'
    """
    seen = _UNSEEN.sub(" ", text.encode(errors="replace").decode())
    return without_secrets(" ".join(seen.split()))[:LONGEST]


def heard(failed: RemoteFailure) -> RemoteFailure:
    """Give the failure as it may be kept; what is to be done about it stays the same."""
    return RemoteFailure(
        brief(failed.message),
        error_class=failed.error_class,
        outcome=failed.outcome,
        retry_after=failed.retry_after,
        diagnostics=tuple(
            msgspec.structs.replace(one, message=brief(one.message)) for one in failed.diagnostics
        ),
        loser=brief(failed.loser),
        ours=failed.ours,
    )


def unforeseen(bug: Exception, correlation_id: str) -> RemoteFailure:
    """Make a failure of what no adapter may raise; its words may hold anything and are not kept.

    Whether a write has landed is not known then; a read that ends so is not repeated.
    """
    name, frames = type(bug).__name__, traceback.extract_tb(bug.__traceback__)
    where = f"{PurePath(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"
    log.error("adapter broke its promise", cid=correlation_id, error=name, where=where)
    return RemoteFailure(
        f"The adapter failed in a way that it does not know itself ({name}, {where}).",
        error_class=ErrorClass.PERMANENT,
        outcome=Outcome.UNKNOWN,
    )
