"""The certificate says what the suite found: no better, no worse, and the same every time."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import NoReturn

import msgspec
import pytest

from quotey.adapters.stub import StubCrmAdapter
from quotey.app.certify import Certification, Finding, tried
from quotey.contract.adapter import Call, CrmAdapter
from quotey.contract.dto import CrmDealDto
from quotey.contract.errors import ErrorClass, ExitCode
from quotey.testing.certificate import (
    Certificate,
    State,
    read_certificate,
    write_certificate,
)
from quotey.testing.certificate.page import html_of
from quotey.testing.certificate.running import Tried, certify, every_test
from quotey.testing.certificate.text import markdown_of
from quotey.testing.conformance import AdapterConformance
from quotey.testing.names import CERTIFIED
from quotey.testing.world import NotOfferedError, World
from scripts.pages.parity import parity_lacks
from tests.adapters.stub_world import StubWorld

FIELDS = "test_every_field_of_a_deal_is_read"
UNKNOWN = "test_an_unknown_deal_is_none"
MOVED_ON = "test_a_slot_that_moved_on_is_not_written"
BREAKS = "test_a_deal_that_breaks_the_contract_is_a_mapping_failure"
MERGED = "test_a_merged_deal_is_answered_by_its_survivor"


class ForgetsTheStage(StubCrmAdapter):
    def get_deal(self, deal_id: str, *, call: Call) -> CrmDealDto | None:
        deal = super().get_deal(deal_id, call=call)
        return msgspec.structs.replace(deal, stage="<b>lost</b>") if deal else None


class ForgetfulWorld(StubWorld):
    def reopen(self) -> CrmAdapter:
        adapter = super().reopen()
        adapter.__class__ = ForgetsTheStage
        return adapter


class LonelyWorld(StubWorld):
    def merge(self, entity: object, loser: str, winner: str) -> NoReturn:
        raise NotOfferedError("this CRM merges nothing")


def whole(folder: Path) -> World:
    return StubWorld(folder)


def certificate_of(*names: str, **worlds: type[StubWorld]) -> Certificate:
    candidates = [Tried(name="stub", make_world=whole, world="a whole stub")]
    for name, kind in worlds.items():
        candidates.append(Tried(name=name, make_world=kind, world=f"a {name} stub"))
    return certify(candidates, version="1.2.3", names=names)


def cell(found: Certificate, operation: str, field: str, error: ErrorClass | None) -> object:
    cells = [c for c in found.cells if (c.operation, c.field) == (operation, field)]
    return next((c.results for c in cells if c.error_class is error), None)


def test_a_broken_adapter_fails_in_the_cell_that_it_breaks_and_nowhere_else() -> None:
    found = certificate_of(FIELDS, UNKNOWN, forgetful=ForgetfulWorld)
    assert [(name, promise.name) for name, promise, _ in found.findings] == [("forgetful", FIELDS)]
    assert "get_deal deal.stage" in found.findings[0][2].reason
    passed, failed = State.PASSED, State.FAILED
    assert cell(found, "get_deal", "deal.stage", None) == {"stub": passed, "forgetful": failed}
    assert cell(found, "get_deal", "", None) == {"stub": passed, "forgetful": passed}
    assert (found.candidates[1].passed, found.candidates[1].failed) == (1, 1)


def test_what_a_crm_does_not_offer_is_no_failure_and_has_its_reason() -> None:
    found = certificate_of(MERGED, lonely=LonelyWorld)
    promise = found.promises[0]
    assert promise.results["stub"].state is State.PASSED
    assert promise.results["lonely"].state is State.NOT_OFFERED
    assert promise.results["lonely"].reason == "this CRM merges nothing"
    offered = {"stub": State.PASSED, "lonely": State.NOT_OFFERED}
    assert cell(found, "get_deal", "", None) == offered
    assert found.findings == ()


def test_a_refusal_stands_under_its_class_and_the_field_that_it_names() -> None:
    found = certificate_of(BREAKS)
    assert cell(found, "get_deal", "", ErrorClass.MAPPING) == {"stub": State.PASSED}
    assert cell(found, "get_deal", "deal.stage", ErrorClass.MAPPING) == {"stub": State.PASSED}
    assert cell(found, "get_deal", "", ErrorClass.AUTH) is None


def test_a_test_that_breaks_down_is_a_finding_too() -> None:
    class BrokenDownWorld(StubWorld):
        def add(self, *_: object, **__: object) -> str:
            raise KeyError("no hands")

    found = certificate_of(UNKNOWN, FIELDS, broken=BrokenDownWorld)
    assert [(name, promise.name) for name, promise, _ in found.findings] == [("broken", FIELDS)]
    assert "KeyError" in found.findings[0][2].reason


def test_every_test_of_the_suite_is_in_it() -> None:
    tests = [name for _part, name in every_test()]
    assert sorted(tests) == sorted(n for n in dir(AdapterConformance) if n.startswith("test_"))
    assert len(set(tests)) == len(tests)
    assert [part for part, _ in dict.fromkeys((p, p) for p, _ in every_test())] == [
        *(
            "Reads",
            "Pages",
            "Sweeps",
            "Surveys",
            "Writes of deals and accounts",
            "Quotes",
            "Fields",
        ),
        *("Failures", "Capabilities"),
    ]


def test_the_same_findings_are_the_same_document_and_can_be_read_back() -> None:
    first, again = (certificate_of(FIELDS, MOVED_ON) for _ in range(2))
    text = write_certificate(first)
    assert text == write_certificate(again)
    assert read_certificate(text) == first
    assert read_certificate(text).format == "quotey.certificate/1"


class Page(HTMLParser):
    """What a page is made of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_stands_by_itself_and_closes_what_it_opens() -> None:
    text = html_of(certificate_of(FIELDS, MERGED, forgetful=ForgetfulWorld, lonely=LonelyWorld))
    page = Page(text)
    tags = [tag for tag, _ in page.tags]
    assert page.open == []
    assert not {"script", "link", "img", "iframe"} & set(tags)
    assert not [a for _, attrs in page.tags for a in attrs if a in {"src", "href", "onclick"}]
    assert "http" not in re.sub(r"over HTTP", "", text).lower()
    assert tags.count("table") == tags.count("caption") == 3
    assert "prefers-color-scheme: dark" in text
    assert all(word in text for word in ("passed:", "failed:", "not offered:", "empty:"))


def test_what_an_adapter_says_is_written_out_and_never_markup() -> None:
    found = certificate_of(FIELDS, forgetful=ForgetfulWorld)
    bad = msgspec.structs.replace(
        found.promises[0].results["forgetful"], reason="<script>alert(1)</script> | `x`"
    )
    found.promises[0].results["forgetful"] = bad
    assert "<script" not in html_of(found)
    assert "&lt;script&gt;" in html_of(found)
    assert "\\|" in markdown_of(found)


def test_every_sign_of_the_page_has_its_word_for_those_who_do_not_see_it() -> None:
    page = Page(html_of(certificate_of(MERGED, lonely=LonelyWorld)))
    signs = [attrs for _tag, attrs in page.tags if attrs.get("role") == "img"]
    assert {sign["aria-label"] for sign in signs} == {"passed", "failed", "not offered"}


def test_without_pytest_a_sentence_names_the_command_that_installs_it(tmp_path: Path) -> None:
    asked = "import sys; sys.modules['pytest'] = None; from quotey.__main__ import main; "
    asked += "sys.argv = ['quotey', 'crm', 'certify']; main()"
    done = subprocess.run(
        [sys.executable, "-c", asked], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "needs pytest, which is not installed. Nothing was checked." in done.stderr
    assert "Next: pip install 'quotey[testing]'" in done.stderr


def test_certifying_leaves_nothing_behind_but_what_was_asked_for(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "quotey", "crm", "certify", "stub", "--out", "found"],
        cwd=tmp_path,
        env={**os.environ, "QUOTEY_ALLOW_ROOT": "true"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert [one.name for one in tmp_path.iterdir()] == ["found"]
    names = sorted(one.name for one in (tmp_path / "found").iterdir())
    assert names == ["parity.html", "parity.json", "parity.md"]
    assert "0 findings" in done.stdout


def test_findings_are_for_a_person() -> None:
    one = Finding(provider="x", promise="p", test="t", reason="r")
    assert Certification(providers=(), findings=(one,)).exit_code is ExitCode.NEEDS_PERSON
    assert Certification(providers=(), findings=()).exit_code is ExitCode.DONE


@pytest.mark.parametrize("name", CERTIFIED)
def test_every_provider_has_a_world_that_the_suite_can_use(name: str, tmp_path: Path) -> None:
    candidate = next(tried(one) for one in CERTIFIED if one == name)
    found = certify([candidate], version="1.2.3", names=[FIELDS, MOVED_ON, UNKNOWN])
    assert found.findings == ()
    assert found.candidates[0].passed >= 2


def test_the_committed_certificate_holds_every_test_and_every_provider() -> None:
    assert parity_lacks() == []
