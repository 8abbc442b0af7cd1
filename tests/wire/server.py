"""A server that answers with exactly the bytes it is given, and keeps what it was sent."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Answer = Callable[[socket.socket], None]


class Server:
    """Takes one connection after another; each is answered by `answer`, then closed."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.heard: list[bytes] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/x"

    def run(self) -> None:
        while True:
            try:
                line, _ = self.listener.accept()
            except OSError:
                return
            with line, contextlib.suppress(OSError):
                self.heard.append(_request(line))
                self.answer(line)


def _request(line: socket.socket) -> bytes:
    """Read a whole request: what is left unread would reset the line when it is closed."""
    heard = b""
    while not _is_whole(heard):
        more = line.recv(65536)
        if not more:
            break
        heard += more
    return heard


def _is_whole(heard: bytes) -> bool:
    head, end, body = heard.partition(b"\r\n\r\n")
    lengths = [one for one in head.lower().split(b"\r\n") if one.startswith(b"content-length:")]
    return bool(end) and len(body) >= int(lengths[0].partition(b":")[2] if lengths else 0)


@contextlib.contextmanager
def answering(answer: Answer | bytes) -> Iterator[Server]:
    """Serve while the block runs."""
    server = Server((lambda line: line.sendall(answer)) if isinstance(answer, bytes) else answer)
    with _serving(server, server.run):
        yield server


@contextlib.contextmanager
def _serving(
    server: Server, serve: Callable[[], None], patience: float | None = None
) -> Iterator[None]:
    """Serve in a thread while the block runs; its listener ends with it."""
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.listener.shutdown(socket.SHUT_RDWR)
        server.listener.close()
        thread.join(patience)


@contextlib.contextmanager
def impostor(folder: Path) -> Iterator[Server]:
    """Serve one connection under a certificate for localhost that nobody vouches for."""
    key, certificate = folder / "key.pem", folder / "cert.pem"
    words = f"req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost -keyout {key} -out"
    subprocess.run(["openssl", *words.split(), str(certificate)], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = Server(lambda _line: None)
    server.url = server.url.replace("http://127.0.0.1", "https://localhost")

    def serve() -> None:
        with contextlib.suppress(OSError):
            line, _ = server.listener.accept()
            with line, context.wrap_socket(line, server_side=True) as wrapped:
                server.heard.append(wrapped.recv(10))

    with _serving(server, serve, patience=5):
        yield server


def plain(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """Give the bytes of an answer."""
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def noting_look_ups(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Let no name be found, and give the list of those that were asked for, as it grows."""
    names: list[object] = []

    def ask(host: object, *_words: object, **_more: object) -> list[object]:
        names.append(host)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", ask)
    return names
