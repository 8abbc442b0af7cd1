"""Logging: to stderr, quiet by default, with correlation id and mode, and without secrets."""

from __future__ import annotations

import io
import json

import pytest
import structlog

from quotey.contract.secret import Secret
from quotey.log import HIDDEN, Redactor, configure_log


def logged(
    level: str = "info", *, fields: dict[str, object] | None = None
) -> list[dict[str, object]]:
    stream = io.StringIO()
    configure_log(
        level=level,
        form="json",
        stream=stream,
        correlation_id="c_01234567",
        mode="stub",
        secrets=["hunter2"],
    )
    structlog.get_logger().info("op settled", **(fields or {}))
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_every_line_carries_correlation_id_and_mode() -> None:
    (line,) = logged()
    assert (line["cid"], line["mode"], line["event"]) == ("c_01234567", "stub", "op settled")
    assert str(line["timestamp"]).endswith("Z")


def test_it_is_quiet_below_its_level() -> None:
    assert logged("warning") == []


def test_console_lines_are_plain_text() -> None:
    stream = io.StringIO()
    configure_log(level="info", form="console", stream=stream, correlation_id="c", mode="stub")
    structlog.get_logger().info("op settled", outcome="delivered")
    assert "outcome=delivered" in stream.getvalue()
    assert "\x1b" not in stream.getvalue()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("api_key", "abc"),
        ("Authorization", "abc"),
        ("refresh_token", ["abc"]),
        ("note", Secret("abc")),
    ],
)
def test_what_is_named_like_a_secret_is_hidden(key: str, value: object) -> None:
    (line,) = logged(fields={key: value})
    assert line[key] == HIDDEN


def test_a_known_secret_is_hidden_wherever_it_stands() -> None:
    (line,) = logged(fields={"reply": {"body": ["said hunter2"]}})
    assert "hunter2" not in json.dumps(line)


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer abc.def",
        "https://user:abc@crm.example/",
        "GET /x?token=abc&y=1",
    ],
)
def test_what_looks_like_a_secret_is_hidden(text: str) -> None:
    assert "abc" not in Redactor().text(text)


def test_what_is_no_secret_stays() -> None:
    event = Redactor()(None, "info", {"event": "read", "attempt": 2, "deals": ("a", "b")})
    assert event == {"event": "read", "attempt": 2, "deals": ["a", "b"]}
