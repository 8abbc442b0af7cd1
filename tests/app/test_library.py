"""Quotey as a library: opened with settings or without, with its own clock and ids."""

from __future__ import annotations

import gc
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

import quotey
from quotey.app.banner import STUB, UNKNOWN, banner
from quotey.app.envelope import Envelope, encode, error_body, exit_code_of
from quotey.app.facade import Quotey, open_quotey
from quotey.app.quotes import QuoteTerms
from quotey.app.reports import Progress, SyncReport
from quotey.config import load_settings
from quotey.contract.errors import (
    ConfigError,
    ErrorClass,
    ExitCode,
    MappingError,
    NotFoundError,
    RemoteFailure,
    UsageError,
)
from quotey.contract.secret import Secret
from tests.cli.terminal import Clock
from tests.machine.shop import furnish


@pytest.fixture
def opened(tmp_path: Path) -> Quotey:
    """A Quotey in an empty folder, after the first sync."""
    one = open_quotey(cwd=tmp_path, clock=Clock())
    one.sync()
    return one


def test_the_package_exports_its_front_door_lazily() -> None:
    assert quotey.open_quotey is open_quotey
    assert quotey.Quotey is Quotey
    assert issubclass(quotey.QuoteyError, Exception)
    assert quotey.QuoteTerms is QuoteTerms
    for name in quotey.__all__:
        assert getattr(quotey, name) is not None
    with pytest.raises(AttributeError):
        quotey.nope  # noqa: B018 - asking for it is the test


def test_importing_the_package_imports_nothing_of_weight() -> None:
    script = "import sys, quotey; print(sorted(m for m in sys.modules if m.startswith('quotey.')))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_status_and_quotes_import_neither_logging_nor_the_engine(tmp_path: Path) -> None:
    script = (
        "import sys, os, pathlib; from quotey.cli.main import main;"
        "code = main(sys.argv[1:], environ={}, cwd=pathlib.Path(os.getcwd()),"
        " stdout=sys.stderr, stderr=sys.stderr);"
        "heavy = {'structlog', 'quotey.sync.engine', 'rich.console'} & set(sys.modules);"
        "print(sorted(heavy), code)"
    )
    for argv in (["crm", "status"], ["quote", "list"]):
        done = subprocess.run(
            [sys.executable, "-c", script, *argv],
            capture_output=True,
            text=True,
            check=True,
            cwd=tmp_path,
        )
        assert done.stdout.strip() == "[] 0", argv


def test_it_closes_what_it_opened_and_may_be_closed_twice(tmp_path: Path) -> None:
    with open_quotey(cwd=tmp_path) as one:
        one.sync()
    one.close()
    with open_quotey(cwd=tmp_path) as again:
        assert again.status().entities[0].live == 29


def test_a_watch_keeps_of_all_its_reports_only_the_last(opened: Quotey) -> None:
    """It goes on for weeks; a list of them filled the memory, a kilobyte each second."""
    alive: list[int] = []

    def count(_progress: Progress) -> None:
        gc.collect()
        alive.append(sum(isinstance(one, SyncReport) for one in gc.get_objects()))

    watched = opened.watch(every="1s", rounds=8, progress=count)
    assert watched.rounds == 8
    assert watched.last in [one for one in gc.get_objects() if isinstance(one, SyncReport)]
    assert max(alive) == alive[-1] <= 2, alive


def test_a_library_is_not_steered_by_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUOTEY_HOME", str(tmp_path / "elsewhere"))
    with open_quotey(cwd=tmp_path) as one:
        assert one.settings.home == tmp_path / ".quotey"
    with open_quotey(cwd=tmp_path, home=Path("mine")) as one:
        assert one.settings.home == tmp_path / "mine"


def test_settings_may_be_given(tmp_path: Path) -> None:
    settings = load_settings(environ={"QUOTEY_ACTOR": "shop"}, cwd=tmp_path)
    with open_quotey(settings) as one:
        one.sync()
        assert one.audit_list(limit=1).items[0].actor == "shop"


def test_an_unknown_provider_is_told_on_opening(tmp_path: Path) -> None:
    (tmp_path / "quotey.toml").write_text('[connections.main]\nprovider = "nope"\n', "utf-8")
    with pytest.raises(ConfigError, match="there are"):
        open_quotey(cwd=tmp_path)


def test_each_command_has_a_correlation_id_of_its_own(opened: Quotey) -> None:
    first, second = opened.sync(), opened.sync()
    assert first.correlation_id != second.correlation_id
    opened.quote_create("D-1001", QuoteTerms(total="1"))
    opened.quote_create("D-1002", QuoteTerms(total="1"))
    ids = {one.correlation_id for one in opened.audit_list(kind="quote.*").items}
    assert len(ids) == 2


def test_progress_is_told_while_it_reads(tmp_path: Path) -> None:
    told: list[Progress] = []
    with open_quotey(cwd=tmp_path) as one:
        one.sync(progress=told.append)
    assert told


@pytest.mark.parametrize("how", ["changed", "broken", "removed"])
def test_a_mapping_that_changes_while_a_sync_runs_is_pinned_until_the_next(
    tmp_path: Path, how: str
) -> None:
    """The run ends by the words with which it began; the next one has the new ones."""
    file = furnish(tmp_path, latency=0) / "mappings" / "main.toml"
    file.parent.mkdir()
    file.write_text(SEGMENTS.format(word="small"), encoding="utf-8")
    seen: list[str] = []

    def meddle(progress: Progress) -> None:
        if progress.step == "read" and progress.entity == "account" and not seen:
            seen.append(progress.step)
            file.unlink()
            if how != "removed":
                text = SEGMENTS.format(word="tiny") if how == "changed" else "provider ="
                file.write_text(text, encoding="utf-8")

    with open_quotey(cwd=tmp_path) as one:
        assert one.sync(progress=meddle).exit_code == ExitCode.DONE
        assert seen
        assert segments(one) == {"small"}
    with open_quotey(cwd=tmp_path) as one:
        if how == "broken":
            with pytest.raises(MappingError):
                one.sync()
        else:
            assert one.sync().exit_code == ExitCode.DONE
        words = {"changed": "tiny", "broken": "small", "removed": "smb"}
        assert segments(one) == {words[how]}


SEGMENTS = """
provider = "stub"
[account.fields.segment]
transform = {{ kind = "value_map", values = {{ SMB = "{word}" }} }}
"""


def segments(one: Quotey) -> set[str | None]:
    return {one.account_show(f"A-{n}").record.local["segment"] for n in range(1, 9)}


def test_what_is_looked_for_must_be_said(opened: Quotey) -> None:
    for text in ("", " ", "x" * 201):
        with pytest.raises(UsageError):
            opened.lookup_account(text)


def test_the_crm_is_searched_when_asked(opened: Quotey) -> None:
    found = opened.lookup_contact("amara.okafor", crm=True)
    ids = {one.crm_ref: one.id for one in found.records}
    assert found.source == "crm"
    assert ids["C-1001"] == opened.contact_show("C-1001").record.id


def test_limits_of_the_settings_reach_the_sync(tmp_path: Path) -> None:
    environ = {"QUOTEY_LIMITS__MASS_GONE_SHARE": "0.01", "QUOTEY_LIMITS__MASS_MINIMUM": "1"}
    settings = load_settings(environ=environ, cwd=tmp_path)
    with open_quotey(settings) as one:
        one.sync()
        for number in range(1001, 1004):
            one.stub.delete("deal", f"D-{number}")
        stopped = one.sync()
        assert stopped.exit_code == ExitCode.NEEDS_PERSON
        assert any("deal" in failure.entities for failure in stopped.failures)
        accepted = one.sync(accept_mass_change=True)
        assert [one.counts.gone for one in accepted.entities] == [0, 0, 3]


# --- explain --------------------------------------------------------------------------------------


def test_explain_tells_who_set_a_value_and_what_lost(opened: Quotey) -> None:
    opened.deal_update("D-1004", {"amount": "19000"})
    opened.stub.set("deal", "D-1004", {"amount": "48000"})
    opened.sync()
    (story,) = opened.explain("deal/D-1004", "amount").fields
    assert (story.local, story.losers[0].value, story.rule) == ("19000", "48000", "merge_local")
    assert story.set_by == opened.settings.actor
    assert "ours stands" in story.sentence
    assert [step.kind for step in story.history][-1] == "record.created"


def test_explain_names_the_crm_where_it_set_the_value(opened: Quotey) -> None:
    opened.stub.set("deal", "D-1004", {"stage": "won"})
    report = opened.sync()
    (story,) = opened.explain("deal/D-1004", "stage").fields
    assert (story.set_by, story.local, story.base) == ("the CRM", "won", "won")
    assert story.correlation_id == report.correlation_id


def test_explain_shows_extras_and_every_field(opened: Quotey) -> None:
    told = opened.explain("deal/D-1004")
    assert told.extras == {"owner": "Kim Larsen"}
    assert [one.field for one in told.fields][:2] == ["account_id", "name"]


def test_explain_finds_by_our_id_too(opened: Quotey) -> None:
    told = opened.explain("deal/D-1004")
    assert opened.explain(f"deal/{told.id}").crm_ref == "D-1004"
    with pytest.raises(UsageError, match="not mapped"):
        opened.explain("deal/D-1004", "nope")
    with pytest.raises(NotFoundError):
        opened.explain("deal/D-nope")


# --- banner and envelope --------------------------------------------------------------------------


class Live:
    mode, provider, connection = "live", "shop", "main"


def test_the_banner_names_where_changes_go(opened: Quotey) -> None:
    assert banner(opened) == STUB
    assert banner(Live()) == "live (shop): changes reach the CRM of connection main"
    assert banner(None) == UNKNOWN


def test_a_document_hides_secrets_and_bidi_signs() -> None:
    text = encode(
        Envelope(
            schema="quotey.x/1",
            mode="stub",
            provider="stub",
            correlation_id="c_1",
            ok=True,
            exit_code=0,
            data={"a": Secret("hunter2"), "b": "x\u202ey", "c": datetime(2026, 1, 1, tzinfo=UTC)},
        )
    )
    assert "hunter2" not in text
    assert "\u202e" not in text
    assert "\\u202e" in text
    assert "2026-01-01T00:00:00Z" in text


@pytest.mark.parametrize(
    ("error_class", "code"),
    [
        (ErrorClass.AUTH, 4),
        (ErrorClass.MAPPING, 5),
        (ErrorClass.TRANSIENT, 6),
        (ErrorClass.RATE_LIMIT, 6),
        (ErrorClass.UNKNOWN, 6),
        (ErrorClass.CONFLICT, 3),
        (ErrorClass.PERMANENT, 3),
    ],
)
def test_each_class_of_a_crm_failure_has_its_exit_code(error_class: ErrorClass, code: int) -> None:
    error = RemoteFailure("x", error_class=error_class)
    assert exit_code_of(error) == code
    assert error_body(error).error_class == error_class


def test_a_document_can_say_what_utf_8_cannot() -> None:
    text = encode(
        Envelope(
            schema="quotey/1",
            mode=None,
            provider=None,
            correlation_id="c_1",
            ok=False,
            exit_code=2,
            data={"name": "\udcff", "path": Path("x")},
        )
    )
    assert "\\udcff" in text
