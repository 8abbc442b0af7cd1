"""Where a request may never go, however the address is written (SEC-9, SEC-10, SEC-11)."""

from __future__ import annotations

import socket
from contextlib import closing
from pathlib import Path

import pytest

from quotey.adapters.tryton.rpc import Rpc
from quotey.adapters.tryton.settings import TrytonSettings
from quotey.contract.errors import ErrorClass, Outcome
from quotey.contract.secret import Secret
from quotey.testing.world import CALL, refusal
from quotey.wire import Door, NotSent, Request
from quotey.wire import Outcome as Answer
from quotey.wire.guard import may_connect
from tests.wire.server import impostor, noting_look_ups

INNER = [
    "127.0.0.1", "127.1.2.3", "0.0.0.0", "10.0.0.1", "10.255.255.255", "172.16.0.1",  # noqa: S104
    "172.31.255.255", "192.168.0.1", "169.254.0.1", "169.254.169.254", "100.64.0.1", "192.0.0.1",
    "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "240.0.0.1",
    "255.255.255.255", "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00::1", "ff02::1",
    "2001:db8::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254",
    "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1", "2002:7f00:1::", "2002:a00:1::1",
    "::127.0.0.1",
]  # fmt: skip
WRITTEN = [
    "https://2130706433/", "https://0x7f000001/", "https://0x7f.1/", "https://0177.0.0.1/",
    "https://127.1/", "https://[::1]/", "https://[::ffff:7f00:1]/", "https://[fd00::1]/",
    "https://localhost/", "https://a.localhost/", "https://crm.example.evil.example/",
    "https://evil.example/crm.example", "https://evil.example#crm.example",
    "https://evil.example?crm.example", "https://crm.example@evil.example/",
    "https://crm.example:pw@evil.example/",  # pragma: allowlist secret
    "https://evil.example\\@crm.example/",
    "https://crm.example\\.evil.example/", "https://crm.example%2eevil.example/",
    "https://crm.example%00.evil.example/", "https://\uff43rm.example/", "https://crm\u3002example/",
    "http://crm.example/", "HTTP://crm.example/", "//crm.example/", "file:///etc/passwd",
    "gopher://crm.example/", "ftp://crm.example/", "data:text/plain,x", "https:crm.example",
    "https:///crm.example", "https://", "https://crm.example:99999/", "https://[::1", "",
    "https://crm.example/\r\nHost: evil.example", " https://crm.example/", "https://169.254.169.254/",
]  # fmt: skip


def asked(door: Door, url: str) -> Answer:
    return door.send(Request(method="GET", url=url, timeout=2.0))


@pytest.mark.parametrize("address", INNER)
def test_a_public_name_may_not_lead_to_an_inner_address(address: str) -> None:
    assert not may_connect(address, local=False)


@pytest.mark.parametrize("url", WRITTEN)
def test_only_the_named_host_is_asked_however_another_is_written(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_up = noting_look_ups(monkeypatch)
    assert isinstance(asked(Door(frozenset({"crm.example"})), url), NotSent)
    assert looked_up == [], "it is refused before anybody is asked about it"


def test_the_named_host_is_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the test above counts is there, where the host is the right one."""
    looked_up = noting_look_ups(monkeypatch)
    asked(Door(frozenset({"crm.example"})), "https://crm.example/")
    assert looked_up == ["crm.example"]


def test_a_name_that_is_turned_onto_this_machine_is_not_followed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Rebinding: the name is allowed, what the resolver says of it is not."""
    with socket.create_server(("127.0.0.1", 0)) as inner:
        port = inner.getsockname()[1]
        turned = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_words, **_more: turned)
        answer = asked(Door(frozenset({"crm.example"})), f"https://crm.example:{port}/")
        inner.settimeout(0.05)
        with pytest.raises(TimeoutError):
            inner.accept()
    assert isinstance(answer, NotSent)
    assert "may not be asked" in answer.reason


def test_one_inner_address_among_public_ones_is_enough_to_refuse(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    both = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443))
        for address in ("93.184.215.14", "10.0.0.1")
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_words, **_more: both)
    answer = asked(Door(frozenset({"crm.example"})), "https://crm.example/")
    assert isinstance(answer, NotSent)


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    """There is no switch that turns this off."""
    with impostor(tmp_path) as server:
        answer = asked(Door(frozenset({"localhost"}), loopback=True), server.url)
    assert isinstance(answer, NotSent)
    assert answer.untrusted
    assert "certificate" in answer.reason.lower()
    assert server.heard == []


def test_the_environment_names_no_certificate_to_trust_and_gets_no_key_of_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with impostor(tmp_path) as server:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
        monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys.log"))
        answer = asked(Door(frozenset({"localhost"}), loopback=True), server.url)
    assert isinstance(answer, NotSent)
    assert answer.untrusted
    assert server.heard == []
    assert not (tmp_path / "keys.log").exists()


def test_it_stops_the_connection_until_a_person_has_looked(tmp_path: Path) -> None:
    """No try is repeated, for none would help; nothing is asked over plain HTTP instead."""
    with impostor(tmp_path) as server:
        settings = TrytonSettings(
            base_url=server.url.removesuffix("/x"),
            database="demo",
            user="quotey",
            password=Secret("canary"),
            loopback=True,
        )
        with closing(Rpc(settings)) as rpc:
            failure = refusal(lambda: rpc.call("sale.sale", "quote", [1], call=CALL))
    assert (failure.error_class, failure.outcome) == (ErrorClass.AUTH, Outcome.NOT_APPLIED)
    assert "certificate" in failure.message
    assert server.heard == []
