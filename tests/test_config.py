"""Settings: file, environment and flags; every problem at once; secrets that do not show."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from quotey.app.options import read_options, secrets_of
from quotey.config import Connection, Settings, load_settings
from quotey.contract.errors import ConfigError, ExitCode
from quotey.contract.secret import Secret


def write(folder: Path, text: str) -> None:
    (folder / "quotey.toml").write_text(text, encoding="utf-8")


def problems(folder: Path, text: str = "", **environ: str) -> dict[str, tuple[str, int, str]]:
    """Give the problems of a file by field: code, line, fix."""
    if text:
        write(folder, text)
    with pytest.raises(ConfigError) as caught:
        load_settings(environ=environ, cwd=folder)
    assert caught.value.exit_code == ExitCode.USAGE
    return {one.field: (one.code, one.line, one.fix) for one in caught.value.diagnostics}


def test_without_any_configuration_it_is_the_stub_under_dot_quotey(tmp_path: Path) -> None:
    settings = load_settings(environ={}, cwd=tmp_path)
    assert settings.home == tmp_path / ".quotey"
    assert settings.connection == "main"
    assert settings.connections["main"].provider == "stub"
    assert settings.attachments == tmp_path / ".quotey" / "attachments"
    assert settings.source is None


def test_flags_win_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    write(tmp_path, 'home = "from-file"\nactor = "file"\n[log]\nlevel = "info"\n')
    environ = {"QUOTEY_HOME": "from-env", "QUOTEY_ACTOR": "env"}
    settings = load_settings(environ=environ, cwd=tmp_path, flags={"home": "from-flag"})
    assert (settings.home, settings.actor) == (tmp_path / "from-flag", "env")
    assert settings.log.level == "info"


def test_paths_in_the_file_are_relative_to_the_file(tmp_path: Path) -> None:
    inner = tmp_path / "conf"
    inner.mkdir()
    write(inner, 'home = "data"\nattachments = "offers"\n')
    settings = load_settings(environ={"QUOTEY_CONFIG": "conf/quotey.toml"}, cwd=tmp_path)
    assert settings.home == inner / "data"
    assert settings.attachments == inner / "offers"
    assert settings.mappings == inner / "mappings"


def test_all_problems_of_a_file_are_told_at_once_with_line_and_near_match(tmp_path: Path) -> None:
    text = (
        'hoem = "x"\n'
        'connection = "mian"\n'
        "[limits]\n"
        "attempts = 0\n"
        "mass_change_share = 2\n"
        "lease_seconds = true\n"
        "[log]\n"
        'level = "loud"\n'
        "[connections.main]\n"
        'provider = "St ub"\n'
        "[connections.other]\n"
    )
    found = problems(tmp_path, text)
    assert found["hoem"] == ("config.unknown_key", 1, "Did you mean home?")
    assert found["limits.attempts"][:2] == ("config.value", 4)
    assert found["limits.mass_change_share"][:2] == ("config.value", 5)
    assert found["limits.lease_seconds"][:2] == ("config.value", 6)
    assert found["log.level"][:2] == ("config.value", 8)
    assert found["connections.main.provider"][0] == "config.value"
    assert found["connection"][0] == "config.connection"
    assert len(found) == 7


def test_a_file_that_is_not_toml_names_the_line(tmp_path: Path) -> None:
    assert problems(tmp_path, "home = \n")[""][:2] == ("config.syntax", 1)


def test_a_named_file_that_is_missing_is_an_error(tmp_path: Path) -> None:
    found = problems(tmp_path, QUOTEY_CONFIG="nowhere.toml")
    assert found[""][0] == "config.unreadable"


def test_a_file_that_is_not_text_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "quotey.toml").write_bytes(b"\xff\xfe\x00")
    assert problems(tmp_path)[""][0] == "config.unreadable"


def test_connections_must_be_tables(tmp_path: Path) -> None:
    assert problems(tmp_path, 'connections = "main"\n')["connections"][0] == "config.value"
    found = problems(tmp_path, '[connections]\nmain = "stub"\n')
    assert found["connections.main"][0] == "config.value"


def test_an_unknown_variable_is_an_error_with_its_near_match(tmp_path: Path) -> None:
    found = problems(tmp_path, QUOTEY_HOMES="x")
    assert found["homes"] == ("config.unknown_key", 0, "Did you mean home?")


def test_variables_of_other_programs_are_left_alone(tmp_path: Path) -> None:
    settings = load_settings(environ={"PATH": "/bin", "USER": "kim"}, cwd=tmp_path)
    assert settings.actor == "kim"


def test_numbers_and_levels_of_the_environment_are_read(tmp_path: Path) -> None:
    environ = {
        "QUOTEY_LIMITS__ATTEMPTS": "3",
        "QUOTEY_LIMITS__MASS_CHANGE_SHARE": "0.25",
        "QUOTEY_LOG__LEVEL": "DEBUG",
    }
    settings = load_settings(environ=environ, cwd=tmp_path)
    assert settings.limits.attempts == 3
    assert settings.limits.mass_change_share == 0.25
    assert settings.log.level == "debug"


@pytest.mark.parametrize("raw", ["", "abc", "-1", "0", "1.5", "nan"])
def test_a_share_that_is_none_is_refused(tmp_path: Path, raw: str) -> None:
    found = problems(tmp_path, QUOTEY_LIMITS__MASS_CHANGE_SHARE=raw)
    assert found["limits.mass_change_share"][0] == "config.value"


def test_what_the_environment_sets_of_a_connection_is_secret(tmp_path: Path) -> None:
    environ = {"QUOTEY_CONNECTIONS__MAIN__API_KEY": "hunter2"}
    settings = load_settings(environ=environ, cwd=tmp_path)
    assert settings.connections["main"].options["api_key"] == Secret("hunter2")
    assert "hunter2" not in repr(settings)


def test_a_connection_can_be_made_by_the_environment_alone(tmp_path: Path) -> None:
    environ = {"QUOTEY_CONNECTIONS__SHOP__PROVIDER": "stub", "QUOTEY_CONNECTION": "shop"}
    settings = load_settings(environ=environ, cwd=tmp_path)
    assert settings.connections["shop"].provider == "stub"
    assert settings.connection == "shop"


def test_settings_are_frozen(tmp_path: Path) -> None:
    settings = load_settings(environ={}, cwd=tmp_path)
    assert isinstance(settings, Settings)
    with pytest.raises(AttributeError):
        settings.actor = "x"  # type: ignore[misc]


# --- a connection's own table ---------------------------------------------------------------------


class Shop(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of a provider that a test makes up."""

    api_key: Secret
    dataset: Path | None = None
    pages: int = 10


def options(folder: Path, **table: object) -> Shop:
    return read_options("main", Connection(provider="shop", options=table, folder=folder), Shop)


def option_problems(folder: Path, **table: object) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        options(folder, **table)
    return {one.field: one.message for one in caught.value.diagnostics}


def test_options_become_the_providers_settings(tmp_path: Path) -> None:
    shop = options(tmp_path, api_key=Secret("k"), dataset="rows", pages=Secret("7"))
    assert shop == Shop(api_key=Secret("k"), dataset=tmp_path / "rows", pages=7)


def test_all_problems_of_a_connection_are_told_at_once(tmp_path: Path) -> None:
    found = option_problems(tmp_path, datset="x", pages="many")
    assert "did you mean dataset?" in found["connections.main.datset"]
    assert "is wrong" in found["connections.main.pages"]
    assert "is needed" in found["connections.main.api_key"]


def test_a_secret_may_not_stand_in_the_file(tmp_path: Path) -> None:
    found = option_problems(tmp_path, api_key="hunter2")
    assert "is a secret" in found["connections.main.api_key"]
    assert "hunter2" not in str(found)


def test_a_secret_may_stand_in_a_file_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("hunter2\n", encoding="utf-8")
    os.chmod(file, 0o600)  # noqa: PTH101 - as the message says it
    assert options(tmp_path, api_key_file="key").api_key.reveal() == "hunter2"


def test_a_secret_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("hunter2\n", encoding="utf-8")
    os.chmod(file, 0o644)  # noqa: PTH101 - as the message says it
    assert (
        "chmod 600"
        in option_problems(tmp_path, api_key_file="key")["connections.main.api_key_file"]
    )


def key_file(folder: Path, text: str = "hunter2\n", bits: int = 0o600) -> Path:
    file = folder / "key"
    file.write_text(text, encoding="utf-8")
    file.chmod(bits)
    return file


def refused_key(folder: Path, name: str = "key") -> str:
    return option_problems(folder, api_key_file=name)["connections.main.api_key_file"]


@pytest.mark.parametrize("bits", [0o604, 0o640, 0o620, 0o602, 0o601, 0o660, 0o777])
def test_a_secret_file_is_its_owners_alone(tmp_path: Path, bits: int) -> None:
    key_file(tmp_path, bits=bits)
    assert "chmod 600" in refused_key(tmp_path)


def test_a_secret_file_of_another_user_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = key_file(tmp_path)
    if os.geteuid() == 0:  # who may give a file away; everybody else is taken for another
        os.chown(file, 12_345, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 12_345)
    assert "another user" in refused_key(tmp_path)


def test_a_secret_file_that_is_no_plain_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "key", 0o600)
    assert "not a plain file" in refused_key(tmp_path)
    assert "not a plain file" in refused_key(tmp_path, "/dev/zero")
    assert refused_key(tmp_path, ".")


def test_a_secret_file_that_is_blank_or_endless_is_refused(tmp_path: Path) -> None:
    key_file(tmp_path, " \n")
    assert "is empty" in refused_key(tmp_path)
    key_file(tmp_path, "x" * 65_537)
    assert "65,536 bytes" in refused_key(tmp_path)


def test_a_secret_file_may_be_named_by_a_link_as_containers_do(tmp_path: Path) -> None:
    key_file(tmp_path)
    (tmp_path / "link").symlink_to("key")
    assert options(tmp_path, api_key_file="link").api_key.reveal() == "hunter2"


def test_what_is_to_be_hidden_is_every_secret_wherever_it_came_from(tmp_path: Path) -> None:
    key_file(tmp_path)
    shop = options(tmp_path, api_key_file="key", pages=Secret("7"))
    assert secrets_of(shop) == ("hunter2",), "a number of the environment is no secret"


def test_a_secret_file_that_is_missing_is_told(tmp_path: Path) -> None:
    found = option_problems(tmp_path, api_key_file="key")
    assert "cannot be read" in found["connections.main.api_key_file"]


def test_secrets_are_equal_by_value_and_hide_it() -> None:
    assert Secret("a") == Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a")}) == 1
    assert "a1b2" not in f"{Secret('a1b2')}{Secret('a1b2')!r}"


class Slow(str):
    """A text that tells how long it was looked at, as a comparison sign by sign does."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        raise AssertionError("compared sign by sign")


def test_secrets_are_compared_in_constant_time() -> None:
    with pytest.raises(AssertionError):
        assert Slow("a") == "a"
    assert Secret(Slow("a")) == Secret(Slow("a"))
    assert Secret(Slow("a")) != Secret(Slow("b"))
    assert Secret("\udcff") != Secret("é")
