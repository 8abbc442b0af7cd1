"""The one door to HTTP: what adapters share to send one request and to know what became of it.

No vendor is here, and no retry: a request is sent once or not at all.
"""

from quotey.wire.concealing import Concealer, Hook, Kind, written
from quotey.wire.door import Caps, Door
from quotey.wire.leaks import Known, digits_of, leaks, pairs_of, unpacked_text
from quotey.wire.outcome import Answered, Listener, NotSent, Outcome, Request, Unknown
from quotey.wire.pseudonyms import Pseudonyms
from quotey.wire.reading import Unreadable, read_json
from quotey.wire.redact import redacted
from quotey.wire.retry_after import http_date, retry_after

__all__ = [
    "Answered",
    "Caps",
    "Concealer",
    "Door",
    "Hook",
    "Kind",
    "Known",
    "Listener",
    "NotSent",
    "Outcome",
    "Pseudonyms",
    "Request",
    "Unknown",
    "Unreadable",
    "digits_of",
    "http_date",
    "leaks",
    "pairs_of",
    "read_json",
    "redacted",
    "retry_after",
    "unpacked_text",
    "written",
]
