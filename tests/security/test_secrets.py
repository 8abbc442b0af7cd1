"""A secret shows itself nowhere, however it is printed (SEC-2, SEC-3, SEC-28, SEC-30)."""

from __future__ import annotations

import base64
import copy
import io
import json
import pickle
import pprint
import traceback
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import msgspec
import pytest
import structlog
from rich.console import Console

from quotey.app.facade import open_quotey
from quotey.contract.secret import Secret
from quotey.log import configure_log

WORD = "ak/canary+0451=="


class Holder(msgspec.Struct):
    key: Secret


def _trace() -> str:
    secret = Secret(WORD)
    with pytest.raises(TypeError) as raised:
        int(secret)  # type: ignore[call-overload]
    told = traceback.TracebackException.from_exception(raised.value, capture_locals=True)
    return "".join(told.format())


def _rich() -> str:
    out = io.StringIO()
    Console(file=out).print(Secret(WORD), {"key": Secret(WORD)})
    return out.getvalue()


def _refused(act: Callable[[], object]) -> str:
    """Give what comes out, or what the refusal says."""
    try:
        return repr(act())
    except (TypeError, AttributeError, ValueError, pickle.PicklingError) as refused:
        return str(refused)


WAYS: dict[str, Callable[[], str]] = {
    "str": lambda: str(Secret(WORD)),
    "repr": lambda: repr(Secret(WORD)),
    "f-string": lambda: f"{Secret(WORD)}",
    "format": lambda: f"{Secret(WORD)!s:>40}",
    "percent r": lambda: "%r" % Secret(WORD),  # noqa: UP031 - this is the way that is tried
    "in a list": lambda: str([Secret(WORD)]),
    "in a struct": lambda: repr(Holder(Secret(WORD))),
    "pprint": lambda: pprint.pformat({"key": Secret(WORD)}),
    "json": lambda: _refused(lambda: json.dumps(Secret(WORD))),
    "msgspec": lambda: _refused(lambda: msgspec.json.encode(Holder(Secret(WORD)))),
    "pickle": lambda: _refused(lambda: pickle.dumps(Secret(WORD))),
    "vars": lambda: _refused(lambda: vars(Secret(WORD))),
    "copy": lambda: repr(copy.copy(Secret(WORD))),
    "deep copy": lambda: repr(copy.deepcopy({"key": Secret(WORD)})),
    "traceback with locals": _trace,
    "rich": _rich,
}


@pytest.mark.parametrize("way", WAYS)
def test_a_secret_is_not_shown_by(way: str) -> None:
    assert "canary" not in WAYS[way]()


def logged(form: str, event: str, **words: object) -> str:
    out = io.StringIO()
    configure_log(
        level="debug", form=form, stream=out, correlation_id="c", mode="stub", secrets=[WORD]
    )
    structlog.get_logger().info(event, **words)
    return out.getvalue()


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize(
    "shape",
    [
        WORD,
        quote(WORD, safe=""),
        base64.b64encode(WORD.encode()).decode(),
        base64.b64encode(f"a:{WORD}".encode()).decode(),
        base64.urlsafe_b64encode(f"x{WORD}yz".encode()).decode(),
    ],
    ids=["raw", "url", "base64", "inside base64", "inside base64 for URLs"],
)
def test_a_known_secret_is_hidden_in_the_log_in_three_forms(form: str, shape: str) -> None:
    said = logged(form, f"refused {shape} twice", body=[{"echo": f"x{shape}y"}])
    assert shape[6:16] not in said


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize(
    "hostile", ["a\nb", "a\r\nb", "a\x1b[2Jb", "a\u2028b", "a\u202eb", "a\x00b"]
)
def test_one_record_is_one_line_without_signs_that_steer(form: str, hostile: str) -> None:
    said = logged(form, hostile, name=hostile)
    assert len(said.splitlines()) == 1
    assert not set("\r\x1b\u2028\u202e\x00") & set(said)


@pytest.mark.parametrize("from_file", [False, True])
def test_the_key_of_a_connection_is_hidden_in_the_log_wherever_it_came_from(
    tmp_path: Path, from_file: bool
) -> None:
    lines = ["[connections.main]", 'provider = "hubspot"', *(['api_key_file = "key"'] * from_file)]
    (tmp_path / "quotey.toml").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "key").write_text(f"{WORD}\n", encoding="utf-8")
    (tmp_path / "key").chmod(0o600)
    environ = {} if from_file else {"QUOTEY_CONNECTIONS__MAIN__API_KEY": WORD}
    out = io.StringIO()
    with open_quotey(cwd=tmp_path, environ=environ, log_to=out) as quotey:
        quotey._house.log_under("c_1")
        structlog.get_logger().error("refused", body=f"no such key: {WORD}")
    assert "refused" in out.getvalue()
    assert "canary" not in out.getvalue()
