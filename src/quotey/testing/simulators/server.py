"""One loopback HTTP server in front of any number of simulator cores.

Standard library only. It binds to 127.0.0.1, because the gateway's official client refuses plain
HTTP anywhere else (composio.md section 5, last line).
"""

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from quotey.testing.simulators.core import Core
from quotey.testing.simulators.exchange import Broken, Request, Response, html

MAX_BODY = 16 * 1024 * 1024


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = True
    # A burst of connections must wait in the queue, not be refused.
    request_queue_size = 64

    def __init__(self, port: int, cores: Sequence[Core]) -> None:
        self.cores = tuple(cores)
        self.lines: set[socket.socket] = set()
        self.lines_guard = threading.Lock()
        super().__init__(("127.0.0.1", port), _Handler)

    def core_for(self, path: str) -> Core | None:
        return next((c for c in self.cores if path.startswith(c.prefixes)), None)

    def hang_up(self) -> None:
        """Wake every thread that waits on its client, so that closing never waits for one."""
        with self.lines_guard:
            for line in self.lines:
                with suppress(OSError):
                    line.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    # Headers and body leave as two packets; without this the second waits for the client's ACK.
    disable_nagle_algorithm = True

    def setup(self) -> None:
        with self.server.lines_guard:
            self.server.lines.add(self.request)
        super().setup()

    def finish(self) -> None:
        with self.server.lines_guard:
            self.server.lines.discard(self.request)
        with suppress(OSError):
            super().finish()

    def handle(self) -> None:
        # The client may vanish at any byte; that is its right, and no error of ours.
        with suppress(ConnectionError, TimeoutError):
            super().handle()

    def _serve(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        if length > MAX_BODY:
            self._send(html(413, "Payload too large"))
            return
        request = Request(
            method=self.command,
            target=self.path,
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(length),
        )
        core = self.server.core_for(request.path)
        # composio.md 1.4: a wrong address answers with a page, not with JSON.
        outcome = html(404, "Not found") if core is None else core.exchange(request)
        if isinstance(outcome, Broken):
            self._break(outcome)
        else:
            self._send(outcome)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = do_HEAD = _serve  # noqa: N815 - names that the standard library looks for

    def _send(self, response: Response, *, keep: int | None = None) -> None:
        self.send_response_only(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        if response.status not in {204, 304}:
            self.send_header("content-length", str(len(response.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.body[:keep])

    def _break(self, broken: Broken) -> None:
        self.close_connection = True
        if broken.partial is not None:
            self._send(broken.partial, keep=len(broken.partial.body) // 2)
        elif broken.hold:
            self._wait_for_hang_up(broken.hold)

    def _wait_for_hang_up(self, seconds: float) -> None:
        self.connection.settimeout(seconds)
        with suppress(OSError):
            self.connection.recv(1, socket.MSG_PEEK)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the library's
        """Say nothing: the cores keep the log."""


@contextmanager
def serve(cores: Core | Sequence[Core], port: int = 0) -> Iterator[str]:
    """Serve the cores on loopback while the block runs; gives the base URL.

    A path goes to the first core that owns its beginning. `port` 0 takes a free one.
    """
    listed = (cores,) if isinstance(cores, Core) else tuple(cores)
    server = _Server(port, listed)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.hang_up()
        server.server_close()
        thread.join()
