"""What the README shows can be typed, and works."""

from __future__ import annotations

import io
import re
import shlex
from pathlib import Path

import pytest

from quotey.cli.tree import parse
from quotey.cli.words import split_common
from tests.cli.terminal import Terminal

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMAND = re.compile(r"^\$ quotey (.+?)(?:  # exit \d+)?$", re.MULTILINE)
COMMANDS = COMMAND.findall(README)


def block(language: str, holding: str) -> str:
    blocks = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    return next(str(one) for one in blocks if holding in one)


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_of_the_readme_is_one(line: str) -> None:
    _, rest = split_common(shlex.split(line))
    assert not parse(rest, io.StringIO()).shows_help


def test_the_tour_works_as_it_is_written(tmp_path: Path) -> None:
    quotey, item, last = Terminal(tmp_path), "", ""
    tour = README[README.index("## A tour") : README.index("## Your own data")]
    for line in COMMAND.findall(tour):
        argv = [item if word.startswith("r_1f2e") else word for word in shlex.split(line)]
        ran = quotey(*argv)
        assert ran.code in (0, 3, 4, 6), (line, ran)
        assert ran.out.startswith("stub (offline)"), (line, ran)
        if "--type locked_field_overwrite" in line:
            item = re.findall(r"r_[0-9a-f]{16}", ran.out)[0]
        last = ran.out
    assert "is whole" in last


def test_the_first_screen_is_the_one_that_comes(tmp_path: Path) -> None:
    shown = block("console", "# exit 3\nstub").partition("\n")[2]
    came = Terminal(tmp_path)("crm", "sync").out
    blot = re.compile(r"c_[0-9a-f]{8}")
    assert blot.sub("c_id", shown) == blot.sub("c_id", came)


def test_a_folder_of_ones_own_loads_with_the_files_as_shown(tmp_path: Path) -> None:
    folder = tmp_path / "my-data"
    folder.mkdir()
    (folder / "dataset.toml").write_text(block("toml", "as_of"), encoding="utf-8")
    (folder / "mapping.toml").write_text(block("toml", "account.fields.id"), encoding="utf-8")
    (tmp_path / "quotey.toml").write_text(block("toml", "connections.main"), encoding="utf-8")
    (folder / "customers.csv").write_text("number,company,size\n1,Acme,S\n2,Bolt,L\n", "utf-8")
    (folder / "projects.csv").write_text(
        "number,customer,title,phase,value,end\n"
        "10,acme,Roof,offer,1200.50,31.01.2027\n"
        "11,Nobody,Wall,offer,1,31.01.2027\n",
        encoding="utf-8",
    )
    quotey = Terminal(tmp_path)
    assert quotey("crm", "mapping", "check").code == 0
    report = quotey.json("crm", "sync")
    created = {one["entity"]: one["counts"]["created"] for one in report["entities"]}
    assert (created["account"], created["deal"]) == (2, 1)
    deal = quotey.json("crm", "deal", "show", "10")["record"]["local"]
    assert (deal["amount"], deal["close_date"]) == ("1200.5", "2027-01-31")
    quote = quotey.json("quote", "create", "10", "--total", "1200.50")["quote"]
    assert quote["current"]["currency"] == "EUR"
    quotey("crm", "sync")
    payload = quotey.json("crm", "stub", "show", "deal/10")["payload"]
    assert (payload["quote_total"], payload["quote_version"]) == ("1200.5", 1)
    assert quotey.json("crm", "reconcile", "list")["total"] == 1


def test_the_library_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(block("python", "open_quotey"), "README.md", "exec"), {})  # noqa: S102 - ours
