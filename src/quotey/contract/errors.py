"""Every failure a caller can meet: a class per thing that can be done about it.

The sentence is built here, so that no caller can phrase it differently. Nothing here retries.
"""

from __future__ import annotations

from datetime import timedelta
from enum import IntEnum, StrEnum

import msgspec


class ErrorClass(StrEnum):
    """What kind of remote failure this is; decides the retry (seed 6.1, design section 6)."""

    TRANSIENT = "transient"
    RATE_LIMIT = "rate_limit"
    AUTH = "auth"
    MAPPING = "mapping"
    UNKNOWN = "unknown"
    CONFLICT = "conflict"
    PERMANENT = "permanent"


class Outcome(StrEnum):
    """What is known of a remote write after it was tried. A time-out is `unknown`, not failed."""

    APPLIED = "applied"
    NOT_APPLIED = "not_applied"
    UNKNOWN = "unknown"


class ExitCode(IntEnum):
    """Exit codes of the command line, the same in help, docs and JSON (design section 7)."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    NEEDS_PERSON = 3
    REAUTH = 4
    MAPPING = 5
    UNREACHABLE = 6
    DATABASE = 7
    INTERRUPTED = 130


class Severity(StrEnum):
    """How much a diagnostic matters: errors reject, warnings and notes only tell."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Diagnostic(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One problem or remark about one field, fit to show: what, where, and how to mend it."""

    code: str
    severity: Severity
    message: str
    entity: str = ""
    field: str = ""
    crm_ref: str = ""
    line: int = 0
    fix: str = ""


class QuoteyError(Exception):
    """Root of everything that Quotey raises on purpose.

    `code` is stable and listed in docs/reference/errors.md; `exit_code` is what the command line
    ends with; `next` holds commands that can be copied; `diagnostics` holds every problem found.
    """

    code = "failed"
    exit_code = ExitCode.FAILED

    def __init__(
        self,
        message: str,
        *,
        next: tuple[str, ...] = (),  # noqa: A002 - the word of the JSON envelope
        diagnostics: tuple[Diagnostic, ...] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.next = next
        self.diagnostics = diagnostics


class UsageError(QuoteyError):
    """The request itself is wrong: an argument, a value, a name. Nothing was changed."""

    code = "usage"
    exit_code = ExitCode.USAGE


class ConfigError(UsageError):
    """quotey.toml or QUOTEY_* hold problems; `diagnostics` names every one."""

    code = "config"


class NotFoundError(UsageError):
    """No such record, quote, item or operation here."""

    code = "not_found"

    def __init__(self, kind: str, key: str, *, next: tuple[str, ...] = ()) -> None:  # noqa: A002
        super().__init__(f"There is no {kind} {key}. Nothing was changed.", next=next)
        self.kind = kind
        self.key = key


class RefusedError(QuoteyError):
    """A rule forbids it and a person has to decide something else first."""

    code = "refused"
    exit_code = ExitCode.NEEDS_PERSON


class NotConnectedError(QuoteyError):
    """No account is connected yet, so the CRM cannot be asked. Nothing was changed."""

    code = "not_connected"
    exit_code = ExitCode.REAUTH


class MappingError(QuoteyError):
    """A mapping file or a record does not keep the contract (seed 3.3). Category `mapping`."""

    code = "mapping"
    exit_code = ExitCode.MAPPING


class DataSetError(MappingError):
    """A stub data set cannot be read; `diagnostics` names file, line and column of each problem."""

    code = "dataset"


class StoreError(QuoteyError):
    """The database cannot be used as it is: damaged, too new, not ours, not writable."""

    code = "database"
    exit_code = ExitCode.DATABASE


class StoreBusyError(QuoteyError):
    """Another process holds the database longer than we wait. Nothing was changed; repeat it."""

    code = "storage_busy"


class LeaseLostError(QuoteyError):
    """The lease token is no longer the current one: somebody else holds the work now."""

    code = "lease_lost"


class IllegalMoveError(QuoteyError):
    """A state machine was asked for a move that its table does not hold (our bug)."""

    code = "illegal_move"

    def __init__(self, machine: str, state: str, move: str) -> None:
        super().__init__(f"{machine}: there is no move {move!r} from {state!r}.")


class RemoteFailure(QuoteyError):  # noqa: N818 - the word of the domain; it is a verdict too
    """A CRM call did not succeed.

    `error_class` decides the retry; `outcome` says what is known of the effect (reads are always
    `not_applied`); `retry_after` is what the provider asked for, if it did. `loser` is what a write
    that was applied has replaced unseen (a marker as JSON, or what stood there), "" if nothing.
    `ours` says that our own budget of requests refused it: the CRM was not asked, and asks nothing.
    """

    code = "remote"

    def __init__(
        self,
        message: str,
        *,
        error_class: ErrorClass,
        outcome: Outcome = Outcome.NOT_APPLIED,
        retry_after: timedelta | None = None,
        diagnostics: tuple[Diagnostic, ...] = (),
        loser: str = "",
        ours: bool = False,
    ) -> None:
        super().__init__(message, diagnostics=diagnostics)
        self.loser = loser
        self.ours = ours
        self.error_class = error_class
        self.outcome = outcome
        self.retry_after = retry_after
        self.exit_code = EXIT_OF_CLASS[error_class]


EXIT_OF_CLASS = {
    ErrorClass.TRANSIENT: ExitCode.UNREACHABLE,
    ErrorClass.RATE_LIMIT: ExitCode.UNREACHABLE,
    ErrorClass.UNKNOWN: ExitCode.UNREACHABLE,
    ErrorClass.AUTH: ExitCode.REAUTH,
    ErrorClass.MAPPING: ExitCode.MAPPING,
    ErrorClass.CONFLICT: ExitCode.NEEDS_PERSON,
    ErrorClass.PERMANENT: ExitCode.NEEDS_PERSON,
}
