"""The door over real sockets: what was not sent, what may have landed, what is not taken."""

from __future__ import annotations

import gzip
import socket
import time
from collections.abc import Iterator

import pytest

from quotey.contract.secret import Secret
from quotey.wire import Answered, Caps, Door, NotSent, Request, Unknown
from tests.wire.server import answering, plain

KEY = Secret("ak_canary")


@pytest.fixture
def door() -> Iterator[Door]:
    made = Door(frozenset({"crm.example"}), loopback=True, caps=Caps(body=1000, headers=500))
    yield made
    made.close()


def ask(url: str, *, timeout: float = 5.0) -> Request:
    return Request(method="POST", url=url, headers={"x-api-key": KEY}, body=b"{}", timeout=timeout)


def test_a_whole_answer_is_given_whatever_its_status(door: Door) -> None:
    with answering(plain(b'{"a":1}', "X-Limit: 7", status="503 Busy")) as server:
        assert door.send(ask(server.url)) == Answered(
            503, {"content-length": "7", "x-limit": "7"}, b'{"a":1}'
        )


def test_a_secret_is_sent_and_nowhere_shown(door: Door) -> None:
    with answering(plain(b"")) as server:
        request = ask(server.url)
        door.send(request)
        assert b"x-api-key: ak_canary\r\n" in server.heard[0]
        assert "canary" not in repr(request)


def test_a_redirect_is_an_answer_and_is_not_followed(door: Door) -> None:
    with answering(plain(b"", "location: /elsewhere", status="302 Found")) as server:
        answer = door.send(ask(server.url))
        assert isinstance(answer, Answered)
        assert answer.status == 302
        assert len(server.heard) == 1


def test_a_cookie_is_not_kept(door: Door) -> None:
    with answering(plain(b"", "set-cookie: a=b", "connection: close")) as server:
        door.send(ask(server.url))
        door.send(ask(server.url))
        assert b"cookie" not in server.heard[1].lower()


def test_a_proxy_of_the_environment_is_not_used(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    with answering(plain(b"ok")) as server:
        assert isinstance(door.send(ask(server.url)), Answered)


def test_what_cannot_be_reached_was_not_sent(door: Door) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    assert isinstance(door.send(ask(f"http://127.0.0.1:{port}/")), NotSent)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\ncontent-le",
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",
        b"not http at all\r\n\r\n",
    ],
)
def test_a_line_that_breaks_after_sending_is_of_unknown_outcome(door: Door, answer: bytes) -> None:
    with answering(answer) as server:
        assert isinstance(door.send(ask(server.url)), Unknown)
        assert len(server.heard) == 1


def test_one_deadline_holds_for_an_answer_that_drips(door: Door) -> None:
    def drip(line: socket.socket) -> None:
        line.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n")
        line.settimeout(0.05)
        while True:
            line.sendall(b".")
            try:
                if line.recv(1) == b"":
                    return
            except TimeoutError:
                continue

    with answering(drip) as server:
        started = time.monotonic()
        outcome = door.send(ask(server.url, timeout=0.3))
        assert isinstance(outcome, Unknown)
        assert time.monotonic() - started < 1.0


@pytest.mark.parametrize(
    "answer",
    [
        plain(b"x" * 1001),
        plain(gzip.compress(b"0" * 1_000_000, mtime=0), "content-encoding: gzip"),
        plain(gzip.compress(b"0" * 100, mtime=0)[:-9], "content-encoding: gzip"),
        plain(b"junk", "content-encoding: gzip"),
        plain(b"x", "content-encoding: br"),
        plain(b"x", "x-long: " + "y" * 500),
    ],
)
def test_what_is_too_long_or_packed_wrongly_is_not_taken(door: Door, answer: bytes) -> None:
    with answering(answer) as server:
        assert isinstance(door.send(ask(server.url)), Unknown)


def test_a_packed_answer_is_unpacked(door: Door) -> None:
    packed = gzip.compress(b'{"a":1}', mtime=0)
    with answering(plain(packed, "content-encoding: gzip")) as server:
        answer = door.send(ask(server.url))
        assert isinstance(answer, Answered)
        assert answer.body == b'{"a":1}'


@pytest.mark.parametrize(
    "url",
    [
        "http://crm.example/",
        "https://other.example/",
        "https://crm.example.other.example/",
        "https://user@crm.example/",
        "ftp://127.0.0.1/",
        "https://10.0.0.1/",
        "https://[::ffff:10.0.0.1]/",
        "https://crm.example:port/",
        "https://crm.example/a b",
        "nonsense",
    ],
)
def test_only_named_hosts_are_asked_over_tls(door: Door, url: str) -> None:
    assert isinstance(door.send(ask(url)), NotSent)


def test_this_machine_is_asked_only_where_that_was_said() -> None:
    strict = Door(frozenset({"127.0.0.1", "localhost"}))
    with answering(plain(b"")) as server:
        assert isinstance(strict.send(ask(server.url)), NotSent)
        assert isinstance(strict.send(ask(server.url.replace("http:", "https:"))), NotSent)
        assert server.heard == []


def test_a_header_cannot_smuggle_another(door: Door) -> None:
    with answering(plain(b"")) as server:
        request = Request(method="GET", url=server.url, headers={"x-a": "1\r\nx-b: 2"})
        assert isinstance(door.send(request), NotSent)
        assert server.heard == []
