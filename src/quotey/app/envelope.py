"""The one JSON document that every command answers with, and its encoding.

What stands in `data` is the Struct that the façade method gave; nothing is decided here.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec
from msgspec import UNSET, UnsetType

from quotey.contract.errors import Diagnostic, ExitCode, QuoteyError, RemoteFailure
from quotey.contract.secret import Secret
from quotey.contract.visible import UNSEEN


class ErrorBody(msgspec.Struct, frozen=True, kw_only=True):
    """Why a command failed: the stable code, the sentence, and the remote class if there is one."""

    code: str
    message: str
    error_class: str | None = None


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """The document. `schema` is `quotey.<command words>/<version>`; new keys may come, none change.

    `mode` is "stub" or "live", and null when no connection was opened.
    `data` is null and `error` is there when the command failed.
    """

    schema: str
    mode: str | None
    provider: str | None
    correlation_id: str
    ok: bool
    exit_code: int
    data: object = None
    diagnostics: tuple[dict[str, object], ...] = ()
    next: tuple[str, ...] = ()
    error: ErrorBody | UnsetType = UNSET


def schema_name(command: tuple[str, ...]) -> str:
    """Give the schema of a command's document.

    >>> schema_name(("crm", "reconcile", "list"))
    'quotey.crm.reconcile.list/1'
    """
    return f"quotey.{'.'.join(command)}/1" if command else "quotey/1"


def full(diagnostic: Diagnostic) -> dict[str, object]:
    """Give a diagnostic with all its keys, so that readers need not ask which are there."""
    return {name: getattr(diagnostic, name) for name in diagnostic.__struct_fields__}


def error_body(error: BaseException) -> ErrorBody:
    """Turn an exception into what the document says of it; foreign ones stay unnamed."""
    if isinstance(error, RemoteFailure):
        return ErrorBody(code=error.code, message=error.message, error_class=error.error_class)
    if isinstance(error, QuoteyError):
        return ErrorBody(code=error.code, message=error.message)
    if isinstance(error, KeyboardInterrupt):
        return ErrorBody(code="interrupted", message=INTERRUPTED)
    return ErrorBody(code="unexpected", message=UNEXPECTED.format(type(error).__name__))


INTERRUPTED = (
    "Interrupted. What was committed stands, nothing is half done. "
    "Before you repeat a command that makes something, look whether it is there."
)
UNEXPECTED = "Something that Quotey did not foresee stopped the command ({})."


def exit_code_of(error: BaseException) -> ExitCode:
    """Give the exit code that an exception ends the command with."""
    if isinstance(error, QuoteyError):
        return error.exit_code
    return ExitCode.INTERRUPTED if isinstance(error, KeyboardInterrupt) else ExitCode.FAILED


def encode(envelope: Envelope) -> str:
    """Give the document as indented JSON; money is text, times are UTC, bidi signs are escaped."""
    try:
        raw = msgspec.json.encode(envelope, enc_hook=_plain)
        text = msgspec.json.format(raw, indent=2).decode()
    except UnicodeEncodeError:  # half a surrogate pair, as a file name may hold
        text = json.dumps(msgspec.to_builtins(envelope, enc_hook=_plain), indent=2)
    return _UNSEEN.sub(lambda found: json.dumps(found[0])[1:-1], text)


_UNSEEN = re.compile(f"[{UNSEEN}]")


def _plain(value: object) -> object:
    if isinstance(value, Path | Secret):
        return str(value)
    raise NotImplementedError(type(value).__name__)
