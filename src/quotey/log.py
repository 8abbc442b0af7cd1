"""Configures structlog: where log lines go, what each carries, what none may carry.

Called by app; rooms only call `structlog.get_logger()`. stdout is never touched.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, MutableMapping
from typing import TextIO

import structlog
from structlog.typing import Processor

from quotey.contract.secret import SECRET_TEXT, Secret, shapes
from quotey.contract.visible import written_out

HIDDEN = "[hidden]"
_SECRET_KEYS = re.compile(
    r"(?i)token|secret|passw|authorization|api[-_]?key|cookie|credential|signature"
)


def configure_log(
    *,
    level: str,
    form: str,
    stream: TextIO,
    correlation_id: str,
    mode: str,
    secrets: Iterable[str] = (),
) -> None:
    """Set up logging for this process: level, form, redaction, and what every line carries.

    `level` and `form` are words of `quotey.config.Log`. May be called again; the last call counts.
    `secrets` are hidden wherever they appear.
    """
    console = form == "console" or (form == "auto" and stream.isatty())
    structlog.configure(
        processors=_processors(Redactor(secrets), console=console),
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(file=stream),
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(cid=correlation_id, mode=mode)


def _processors(redact: Redactor, *, console: bool) -> list[Processor]:
    last: list[Processor] = (
        [
            _one_line,
            structlog.dev.ConsoleRenderer(colors=False, exception_formatter=_plain_traceback),
        ]
        if console
        else [structlog.processors.dict_tracebacks, structlog.processors.JSONRenderer()]
    )
    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        redact,
        *last,
    ]


def _one_line(
    _logger: object, _method: str, event: MutableMapping[str, object]
) -> MutableMapping[str, object]:
    """Write out what would steer the terminal; a renderer of JSON does that by itself."""
    return {
        key: written_out(value) if isinstance(value, str) else value for key, value in event.items()
    }


_plain_traceback = structlog.dev.plain_traceback


class Redactor:
    """A structlog processor that hides secrets by key, by form and by value (guarantee G8)."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {form for text in secrets if text for form in shapes(text)}
        self._secrets = tuple(sorted(forms, key=len, reverse=True))

    def __call__(
        self, _logger: object, _method: str, event: MutableMapping[str, object]
    ) -> MutableMapping[str, object]:
        """Give the event with every secret replaced."""
        return {key: self._value(key, value) for key, value in event.items()}

    def _value(self, key: str, value: object) -> object:
        if _SECRET_KEYS.search(key) or isinstance(value, Secret):
            return HIDDEN
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {name: self._value(str(name), inner) for name, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self._value(key, inner) for inner in value]
        return value

    def text(self, text: str) -> str:
        """Give the text with known secrets and secret-looking parts replaced."""
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return SECRET_TEXT.sub(HIDDEN, text)
