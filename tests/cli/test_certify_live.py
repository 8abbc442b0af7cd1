"""`quotey crm certify --live`: the connection's own account, as far as it lends itself to that."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec

from quotey import open_quotey
from quotey.app.certify import Certification
from quotey.app.simulator import Wishes
from quotey.contract.errors import ExitCode
from tests.cli.terminal import Terminal
from tests.simulators.wire_client import Client

AMPLE = "requests_per_ten_seconds = 100000\nrequests_per_minute = 100000\n"


def test_a_live_account_keeps_what_it_offers_and_says_what_it_does_not(tmp_path: Path) -> None:
    with (
        open_quotey(home=tmp_path / "sim") as quotey,
        quotey.simulator(Wishes(provider="salesforce")) as running,
    ):
        told = running.told
        (tmp_path / "quotey.toml").write_text(told.quotey_toml + AMPLE, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-m", "quotey", "crm", "certify", "--live", "--out", "o", "--json"],
            cwd=tmp_path,
            env={**os.environ, **told.environment},
            capture_output=True,
            text=True,
            check=False,
        )
        found = json.loads(done.stdout)["data"]
        deals = Client(told.url, {"authorization": f"Bearer {told.vendor_token}"}).get(
            "/services/data/v67.0/query?q=SELECT+COUNT()+FROM+Opportunity"
        )
    assert done.returncode == 0, found["findings"]
    assert msgspec.convert(found, Certification).exit_code is ExitCode.DONE
    stub, live = found["providers"]
    assert (stub["provider"], stub["not_offered"]) == ("stub", 1), "it cannot be surveyed"
    assert live["world"] == "the live account of the connection"
    assert live["passed"] >= 25
    assert live["passed"] + live["not_offered"] == stub["passed"] + stub["not_offered"]
    assert deals.doc["totalSize"] > told.records["deal"], "what it makes stays"
    page = (tmp_path / "o" / "parity.md").read_text(encoding="utf-8")
    assert "a live account does not offer merging" in page


def test_the_stub_is_no_live_account(quotey: Terminal) -> None:
    ran = quotey("crm", "certify", "--live")
    assert ran.code == 2
    assert "Connection main is stub, so a live account cannot be tried" in ran.err
    assert "Nothing was checked." in ran.err


def test_a_connection_tries_no_other_provider(quotey: Terminal) -> None:
    ran = quotey("crm", "certify", "--live", "salesforce")
    assert ran.code == 2
    assert "so salesforce cannot be tried through it" in ran.err
