"""The one door to HTTP: what adapters share to send one request and to know what became of it.

No vendor is here, and no retry: a request is sent once or not at all.
"""

from quotey.wire.door import Caps, Door
from quotey.wire.outcome import Answered, NotSent, Outcome, Request, Unknown
from quotey.wire.reading import Unreadable, read_json
from quotey.wire.redact import redacted
from quotey.wire.retry_after import http_date, retry_after

__all__ = [
    "Answered",
    "Caps",
    "Door",
    "NotSent",
    "Outcome",
    "Request",
    "Unknown",
    "Unreadable",
    "http_date",
    "read_json",
    "redacted",
    "retry_after",
]
