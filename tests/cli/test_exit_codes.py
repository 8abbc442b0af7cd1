"""Each class of ending has its exit code, and says what to do next."""

from __future__ import annotations

from pathlib import Path

import pytest

from quotey.app.facade import Quotey
from tests.cli.terminal import Ran, Terminal


@pytest.mark.parametrize(
    "line",
    [
        "crm nope",
        "nope",
        "crm status --nope",
        "crm status extra",
        "crm lock deal/D-1001",
        "crm sync --entity nope",
        "crm sync --entity quote",
        "crm watch --every never --rounds 1",
        "crm watch --rounds 0",
        "crm audit --limit 0",
        "crm audit --limit many",
        "crm audit --head nope",
        "crm audit --head 0:" + 64 * "0",
        "crm audit --verify --head 7:" + 63 * "0",
        "crm outbox list --limit 0",
        "crm reconcile list --type nope",
        "crm reconcile list --limit 0",
        "crm reconcile apply",
        "crm reconcile apply r_1 --policy nope",
        "crm reconcile apply r_1 --policy crm_wins --field stage",
        "crm deal update D-1001",
        "crm deal update D-1001 amount",
        "crm deal update D-1001 amount=1 amount=2",
        "crm deal update D-1001 stage=won",
        "crm deal show nope",
        "crm explain nope",
        "crm explain quote/x",
        "crm explain deal/D-1001 nope",
        "crm explain deal/nope",
        "crm connect hubspot",
        "crm lookup account  ",
        "crm stub set deal stage=won",
        "crm stub fail nope",
        "crm mapping test nope.json --entity deal",
        "quote create D-1001",
        "quote create D-1001 --line Licence",
        "quote create D-1001 --total NaN",
        "quote create D-1001 --total 1.005",
        "quote status nope approved",
        "--home",
    ],
)
def test_wrong_usage_ends_with_2_and_changes_nothing(synced: Terminal, line: str) -> None:
    before = synced.json("crm", "audit", "--limit", "1")
    ran = synced(*line.split(" "))
    assert ran.code == 2, ran
    assert ran.out == ""
    assert len(ran.err.splitlines()) >= 2
    assert synced.json("crm", "audit", "--limit", "1") == before


def test_a_run_that_leaves_open_items_ends_with_3(quotey: Terminal) -> None:
    assert quotey("crm", "sync").code == 3


def test_a_refusal_ends_with_3_and_names_the_way(synced: Terminal) -> None:
    item = synced.json("crm", "reconcile", "list", "--each")["items"][0]["id"]
    ran = synced("crm", "reconcile", "apply", item, "--policy", "crm_wins")
    assert ran.code == 3
    assert "Nothing was changed." in ran.err
    assert "Next: quotey crm" in ran.err


def test_a_refused_token_ends_with_4_and_names_connect(synced: Terminal) -> None:
    synced("crm", "stub", "fail", "auth")
    ran = synced("crm", "sync")
    assert ran.code == 4
    assert "Next: quotey crm connect stub\n" in ran.out
    assert synced("crm", "doctor").code == 4
    assert synced("crm", "status").out.count("auth_stopped") == 1
    assert "active" in synced("crm", "connect", "stub").out
    assert synced("crm", "sync").code == 3


def test_a_broken_mapping_ends_with_5_and_tells_every_problem(synced: Terminal) -> None:
    folder = synced.cwd / "mappings"
    folder.mkdir()
    (folder / "main.toml").write_text(
        '[deal.fields.stgae]\npath = "x"\n[deal.fields.amount]\npolicy = "crm_win"\n',
        encoding="utf-8",
    )
    for argv in (["crm", "sync"], ["crm", "plan"], ["crm", "mapping", "show"]):
        ran = synced(*argv)
        assert ran.code == 5, ran
        assert "stage" in ran.err
        assert "crm_wins" in ran.err
    check = synced("crm", "mapping", "check")
    assert check.code == 5
    assert check.out.count("line ") >= 2
    status = synced("crm", "status")
    assert (status.code, "the mapping cannot be read" in status.out) == (5, True)


def test_a_payload_that_breaks_the_contract_ends_with_5(synced: Terminal) -> None:
    (synced.cwd / "deal.json").write_text('{"id": "D-1", "amount": "x"}', encoding="utf-8")
    ran = synced("crm", "mapping", "test", str(synced.cwd / "deal.json"), "--entity", "deal")
    assert ran.code == 5
    assert "Rejected as deal" in ran.out


def test_a_payload_that_keeps_the_contract_ends_with_0(synced: Terminal) -> None:
    payload = synced.json("crm", "stub", "show", "account/A-1001")["payload"]
    import msgspec

    (synced.cwd / "a.json").write_bytes(msgspec.json.encode(payload))
    ran = synced("crm", "mapping", "test", str(synced.cwd / "a.json"), "--entity", "account")
    assert (ran.code, "Accepted as account" in ran.out) == (0, True)


def test_a_crm_that_is_down_ends_with_6_and_keeps_what_was_read(synced: Terminal) -> None:
    synced("crm", "stub", "fail", "server_error", "--times", "100")
    ran = synced("crm", "sync")
    assert ran.code == 6
    assert "Quotes are untouched" in ran.out
    assert synced.json("crm", "status")["entities"][0]["live"] == 29


def test_a_rate_limit_ends_with_6_and_says_until_when(synced: Terminal) -> None:
    synced("crm", "stub", "fail", "rate_limited", "--retry-after", "30")
    ran = synced("crm", "sync")
    assert ran.code == 6
    assert "tried again from" in ran.out


def test_a_damaged_database_ends_with_7_and_is_left_as_it_is(synced: Terminal) -> None:
    path = synced.cwd / ".quotey" / "quotey.db"
    path.write_bytes(b"this is no database, but it is long enough to look at" * 100)
    before = path.read_bytes()
    for argv in (["crm", "status"], ["quote", "list"], ["db", "check"]):
        assert synced(*argv).code == 7
    assert path.read_bytes() == before


def test_a_broken_configuration_ends_with_2_for_every_command(quotey: Terminal) -> None:
    (quotey.cwd / "quotey.toml").write_text("hoem = 1\n[log]\nlevel = 3\n", encoding="utf-8")
    ran = quotey("crm", "status")
    assert ran.code == 2
    assert "line 1" in ran.err
    assert "Did you mean home?" in ran.err
    assert "line 3" in ran.err
    assert ran.err.startswith("no connection was opened: nothing leaves this machine\n")


def test_an_unknown_provider_ends_with_2(quotey: Terminal) -> None:
    (quotey.cwd / "quotey.toml").write_text(
        '[connections.main]\nprovider = "stubb"\n', encoding="utf-8"
    )
    ran = quotey("crm", "status")
    assert ran.code == 2
    assert "did you mean stub?" in ran.err


def test_an_unknown_option_of_the_provider_ends_with_2(quotey: Terminal) -> None:
    (quotey.cwd / "quotey.toml").write_text('[connections.main]\ndatset = "x"\n', encoding="utf-8")
    ran = quotey("crm", "sync")
    assert ran.code == 2
    assert "did you mean dataset?" in ran.err


# --- what nobody foresees -------------------------------------------------------------------------


def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def status(_self: Quotey, **_how: bool) -> None:
        raise error

    monkeypatch.setattr(Quotey, "status", status)


def status_that_raises(
    quotey: Terminal, monkeypatch: pytest.MonkeyPatch, error: BaseException, *argv: str
) -> Ran:
    failing(monkeypatch, error)
    return quotey("crm", "status", *argv)


def test_an_interrupt_ends_with_130(quotey: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = status_that_raises(quotey, monkeypatch, KeyboardInterrupt())
    assert ran.code == 130
    assert "nothing is half done" in ran.err


@pytest.mark.parametrize("as_json", [True, False])
def test_an_interrupt_after_the_answer_takes_nothing_of_it_back(
    quotey: Terminal, monkeypatch: pytest.MonkeyPatch, *, as_json: bool
) -> None:
    close = Quotey.close

    def interrupted(self: Quotey) -> None:
        close(self)
        raise KeyboardInterrupt

    quotey("crm", "sync")
    monkeypatch.setattr(Quotey, "close", interrupted)
    ran = quotey("quote", "create", "D-1001", "--total", "5", *["--json"] * as_json)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.count("priced") == 1
    assert not as_json or ran.document["ok"] is True, "one document, and none that says otherwise"


def test_the_words_of_a_policy_are_told_as_they_are_written_everywhere(synced: Terminal) -> None:
    ran = synced("crm", "reconcile", "apply", "r_1", "--policy", "crm")
    assert ran.code == 2
    assert '"crm_wins", "local_wins", "merge_with_audit"' in ran.err


def test_a_mapping_that_is_no_text_ends_with_5_and_says_why(quotey: Terminal) -> None:
    (quotey.cwd / "mappings").mkdir()
    (quotey.cwd / "mappings" / "main.toml").write_bytes(b"\xff\xfe")
    ran = quotey("crm", "mapping", "check")
    assert ran.code == 5
    assert "main.toml cannot be read: it is not UTF-8 text. Nothing was changed." in ran.out


def test_a_span_that_is_none_names_those_that_are(synced: Terminal) -> None:
    ran = synced("crm", "watch", "--rounds", "1", "--every", "0s")
    assert ran.code == 2
    assert "write it as 90m, 48h, 2d or 1w; seconds, as 30s, are taken too.  [" in ran.err
    ran = synced("crm", "reconcile", "apply", "--policy", "crm_wins", "--older-than", "soon")
    assert ran.code == 2
    assert "2d or 1w. Nothing was changed." in ran.err


def test_wrong_words_are_not_blamed_on_the_settings(quotey: Terminal) -> None:
    ran = quotey("quote", "create", "D-1001", "--totl", "5")
    assert ran.code == 2
    assert ran.err.startswith("no connection was opened: nothing leaves this machine\n")
    assert "Did you mean --total?" in ran.err


def test_the_unforeseen_ends_with_1_in_one_sentence(
    quotey: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = status_that_raises(quotey, monkeypatch, RuntimeError("token=hunter2"))
    assert ran.code == 1
    assert "RuntimeError" in ran.err
    assert "[c_" in ran.err
    assert "hunter2" not in ran.err
    assert "Traceback" not in ran.err


def test_debug_shows_the_traceback(quotey: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = status_that_raises(quotey, monkeypatch, RuntimeError("x"), "--debug")
    assert (ran.code, "Traceback" in ran.err) == (1, True)


def test_a_closed_pipe_is_no_failure(quotey: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    assert status_that_raises(quotey, monkeypatch, BrokenPipeError()).code == 0


def test_a_home_that_cannot_be_written_ends_with_7(quotey: Terminal, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    ran = quotey("crm", "status", "--home", "file/inner")
    assert ran.code == 7, ran
