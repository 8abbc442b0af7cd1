"""Fault switches: what goes wrong, on which operation, how often.

Only the queue is here; `core` carries a fault out.
Source: composio.md section 5, crm-semantics.md section 8 "Faults common to both".
"""

from fnmatch import fnmatchcase
from typing import Literal, get_args

import msgspec
from msgspec import Struct
from msgspec.structs import replace

FaultKind = Literal[
    "timeout",  # no answer; `effect` says whether the operation was carried out
    "server_error",  # 5xx (`status`); `effect` as above
    "rate_limited",  # `retry_after` None sends no header; `policy` names the limit
    "token_expired",  # the vendor's 401
    "status",  # any other refusal by `status` and `code`
    "truncated",  # the operation is carried out, half of the answer arrives
    "html",  # a page where JSON was due, with `status` (200 by default)
    "duplicate",  # the request is delivered twice, the second answer comes back
    "late",  # no answer, and the operation is carried out `delay` virtual seconds later
    "account_expired",  # gateway: the connected account turns EXPIRED
    "no_connection",  # gateway: the account is not found, as minutes after a fresh OAuth
    "unsuccessful",  # gateway: successful:false with a null error
    "html_data",  # gateway: successful:true with a page as data
]


class Fault(Struct, frozen=True):
    """One switched-on fault. It strikes `times` matching requests after letting `after` pass."""

    kind: FaultKind
    operation: str = "*"
    """Glob over "core METHOD /path", for example "hubspot POST */search"."""
    times: int = 1
    after: int = 0
    effect: bool = False
    """Whether the operation is carried out before the fault shows."""
    status: int = 0
    code: str = ""
    policy: str = ""
    retry_after: str | None = None
    delay: float = 60.0
    """Virtual seconds until a late effect."""
    hold: float = 0.0
    """Real seconds for which a silent connection stays open; 0 drops it at once."""


class FaultQueue:
    """The faults that wait, in the order in which they were switched on."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Switch a fault on."""
        self._waiting.append(fault)

    def clear(self) -> None:
        """Switch every fault off."""
        self._waiting.clear()

    @property
    def waiting(self) -> tuple[Fault, ...]:
        """What has not struck yet."""
        return tuple(self._waiting)

    def take(self, operation: str) -> Fault | None:
        """The fault that strikes this operation, counted down; None when none does."""
        for place, fault in enumerate(self._waiting):
            if not fnmatchcase(operation, fault.operation):
                continue
            if fault.after:
                self._waiting[place] = replace(fault, after=fault.after - 1)
                return None
            self._count_down(place, fault)
            return fault
        return None

    def _count_down(self, place: int, fault: Fault) -> None:
        if fault.times > 1:
            self._waiting[place] = replace(fault, times=fault.times - 1)
        else:
            del self._waiting[place]


def parse_fault(text: str) -> Fault:
    """Read a fault as it is typed: its kind, then `name=value` with commas between.

    Raises ValueError with a sentence. `operation` is the glob over "core METHOD /path".

    >>> parse_fault("rate_limited,retry_after=2,times=3").times
    3
    >>> parse_fault("timeout,effect=true,operation=hubspot POST */deals*").operation
    'hubspot POST */deals*'
    """
    kind, *words = [part.strip() for part in text.split(",")]
    values: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise ValueError(f"{word!r} of the fault {text!r} is not name=value")
        values[name.strip()] = value.strip()
    known = get_args(FaultKind)
    if kind not in known:
        raise ValueError(f"there is no fault {kind!r}; there are: {', '.join(known)}")
    names = [name for name in Fault.__struct_fields__ if name != "kind"]
    unknown = [name for name in values if name not in names]
    if unknown:
        raise ValueError(f"a fault has no {unknown[0]!r}; it has: {', '.join(names)}")
    try:
        return msgspec.convert({"kind": kind, **values}, Fault, strict=False)
    except msgspec.ValidationError as error:
        raise ValueError(f"the fault {text!r} is wrong: {error}") from error
