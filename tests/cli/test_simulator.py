"""`quotey crm simulator`: what it prints talks to it; it goes wrong and it stops as it is told."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from quotey import open_quotey
from quotey.app.simulator import Simulation, Wishes
from quotey.cli.main import main
from quotey.contract.errors import UsageError
from quotey.testing.names import SIMULATED, Simulated
from tests.cli.terminal import Terminal
from tests.simulators.wire_client import Client

ROOT = Path(__file__).parents[2]
QUOTEY = [sys.executable, "-m", "quotey"]
KEY = "QUOTEY_CONNECTIONS__MAIN__API_KEY"


@contextmanager
def served(folder: Path, **wishes: Any) -> Iterator[Simulation]:  # noqa: ANN401 - as Wishes takes
    with open_quotey(home=folder / "sim") as quotey, quotey.simulator(Wishes(**wishes)) as running:
        yield running.told


def follow(told: Simulation, folder: Path) -> None:
    """Write what the simulator says is needed."""
    (folder / "quotey.toml").write_text(told.quotey_toml, encoding="utf-8")
    (folder / "mappings").mkdir()
    (folder / "mappings" / "main.toml").write_text(told.mapping_toml, encoding="utf-8")


def run(folder: Path, *argv: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*QUOTEY, *argv],
        cwd=folder,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("provider", SIMULATED)
def test_what_it_prints_is_all_that_a_quotey_needs(provider: Simulated, tmp_path: Path) -> None:
    with served(tmp_path, provider=provider) as told:
        follow(told, tmp_path)
        synced = run(tmp_path, "crm", "sync", "--json", **told.environment)
        document = json.loads(synced.stdout)
        assert document["provider"] == provider
        read = {one["entity"]: one["counts"]["read"] for one in document["data"]["entities"]}
        assert read == told.records
        without = run(tmp_path, "crm", "sync", "--json")
    assert json.loads(without.stdout)["error"]["code"] == "config", "the key is nowhere else"


@pytest.mark.parametrize("provider", SIMULATED)
def test_a_quote_goes_through_the_gateway_and_stands_at_the_vendor(
    provider: Simulated, tmp_path: Path
) -> None:
    with served(tmp_path, provider=provider) as told:
        follow(told, tmp_path)
        environ = dict(told.environment)
        run(tmp_path, "crm", "sync", **environ)
        found = run(tmp_path, "crm", "lookup", "deal", "Kestrel", "--json", **environ)
        deal = json.loads(found.stdout)["data"]["records"][0]
        made = run(tmp_path, "quote", "create", deal["id"], "--total", "99.50", "--json", **environ)
        quote = json.loads(made.stdout)["data"]["quote"]["id"]
        sent = run(tmp_path, "crm", "sync", "--json", **environ)
        assert sent.returncode in (0, 3), sent.stdout
        client = Client(told.url, {"authorization": f"Bearer {told.vendor_token}"})
        assert kept(client, told.provider, deal["crm_ref"]) == quote


def kept(client: Client, provider: str, deal: str) -> str:
    """Ask the vendor itself for the quote's id."""
    if provider == "hubspot":
        path = f"/crm/v3/objects/deals/{deal}?properties=quotey_quote_id"
        return str(client.get(path).doc["properties"]["quotey_quote_id"])
    path = f"/services/data/v67.0/sobjects/Opportunity/{deal}"
    return str(client.get(path).doc["Quotey_Quote_Id__c"])


def test_a_fault_strikes_where_it_was_put(tmp_path: Path) -> None:
    faults = ("rate_limited,retry_after=2", "server_error,operation=hubspot GET *,status=503")
    with served(tmp_path, faults=faults) as told:
        gateway = Client(told.url, {"x-api-key": told.api_key})
        vendor = Client(told.url, {"authorization": f"Bearer {told.vendor_token}"})
        first = gateway.get("/api/v3.1/connected_accounts")
        assert (first.status, first.headers["retry-after"]) == (429, "2")
        assert gateway.get("/api/v3.1/connected_accounts").status == 200
        assert vendor.get("/crm/v3/objects/deals").status == 503
        assert vendor.get("/crm/v3/objects/deals").status == 200


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("explode", "there is no fault 'explode'"),
        ("timeout,when=now", "a fault has no 'when'"),
        ("timeout,effect", "'effect' of the fault"),
        ("timeout,times=often", "is wrong"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(quotey: Terminal, fault: str, told: str) -> None:
    ran = quotey("crm", "simulator", "--port", "0", "--fault", fault)
    assert ran.code == 2
    assert told in ran.err
    assert "Nothing is served." in ran.err


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with (
            pytest.raises(UsageError, match=f"Port {port} cannot be served"),
            served(tmp_path, port=port),
        ):
            pass


@pytest.mark.parametrize("port", ["-1", "65536"])
def test_a_port_that_there_is_not_is_told(quotey: Terminal, port: str) -> None:
    ran = quotey("crm", "simulator", f"--port={port}")
    assert (ran.code, ran.out) == (2, "")
    assert f"Port {port} cannot be served: a port is 0 to 65535." in ran.err


@pytest.mark.parametrize("provider", SIMULATED)
def test_a_data_set_of_ones_own_is_served(provider: Simulated, tmp_path: Path) -> None:
    own = ROOT / "examples" / "own-folder"
    with served(tmp_path, provider=provider, dataset=own) as told:
        assert told.records == {"account": 8, "deal": 12}
        assert told.left_out == ("account K107: segment 'huge' is not in the value map",)


def test_a_mapping_of_ones_own_gets_the_properties_that_it_names(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(
        'provider = "hubspot"\n[deal.fields.x_margin]\npath = "properties.acme_margin"\n'
        'type = "money"\npolicy = "crm_wins"\n',
        encoding="utf-8",
    )
    with served(tmp_path, mapping=own) as told:
        assert "deals.acme_margin" in told.prepared
        assert told.mapping_toml == ""


def test_the_same_seed_serves_the_same_ids(tmp_path: Path) -> None:
    def first_deal(seed: int) -> str:
        with served(tmp_path, seed=seed) as told:
            vendor = Client(told.url, {"authorization": f"Bearer {told.vendor_token}"})
            found = vendor.get("/crm/v3/objects/deals?limit=1").doc["results"][0]["id"]
            return str(found)

    assert first_deal(3) == first_deal(3) != first_deal(4)


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_told_to_stop_which_is_no_failure(
    tmp_path: Path, sign: signal.Signals
) -> None:
    process = subprocess.Popen(
        [*QUOTEY, "crm", "simulator", "--port", "0", "--json"],
        cwd=tmp_path,
        env={**os.environ, "QUOTEY_ALLOW_ROOT": "true"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if line == "}\n":
            break
    told = json.loads("".join(lines))["data"]
    assert msgspec.convert(told, Simulation).provider == "hubspot"
    answer = Client(told["url"], {"x-api-key": told["api_key"]}).get("/api/v3.1/connected_accounts")
    assert answer.doc["items"][0]["id"] == told["connected_account_id"]
    process.send_signal(sign)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "", "")


def test_the_text_says_what_is_served_and_where(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*QUOTEY, "crm", "simulator", "--port", "0", "--fault", "html"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip())
        if line.startswith("Ctrl-C"):
            break
    process.send_signal(signal.SIGINT)
    process.wait(timeout=20)
    process.stdout.close()
    text = "\n".join(lines)
    assert text.startswith(
        "simulator: served on this machine, nothing leaves it\nhubspot at http://"
    )
    for words in ("API key", "connected account", "[connections.main]", f"export {KEY}=ak_sim"):
        assert words in text
    assert "fault               html" in text


def test_no_other_command_imports_a_simulator(tmp_path: Path) -> None:
    asked = "import sys; from quotey.cli.main import main; from pathlib import Path; "
    asked += "main(['crm','status'],environ={},cwd=Path(),stdout=sys.stdout,stderr=sys.stderr); "
    asked += "print(sorted(n for n in sys.modules if n.startswith('quotey.testing')))"
    done = subprocess.run(
        [sys.executable, "-c", asked], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
    assert callable(main)
