"""What stands between adapter and server: it passes on, counts, and goes wrong when told to."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from quotey.testing.world import Fault

READS = ("read", "search_read", "login", "get_preferences")
WRITES = ("create_deal", "update_deal", "update_account", "write_quote")


class Between:
    """A server on loopback that hands everything on to another one."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.log: list[str] = []
        self.passed: list[str] = []
        self._faults: list[tuple[Fault, bool, float | None]] = []
        self._cuts: dict[str, Callable[[], object]] = {}
        self._closed_to_us = False
        self._server = ThreadingHTTPServer(
            ("127.0.0.1", 0), type("Handler", (_Handler,), {"between": self})
        )
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def fail(self, fault: Fault, operation: str, times: int, retry_after: float | None) -> None:
        """Let the next requests go wrong; of a write only those that change something."""
        if fault is Fault.AUTH:
            self._closed_to_us = True
            return
        lost = fault in (Fault.TIMEOUT_BEFORE, Fault.TIMEOUT_AFTER)
        self._faults += [(fault, lost and operation in WRITES, retry_after)] * times

    def cut(self, method: str, instead: Callable[[], object] = list) -> None:
        """Let the next call of this method never arrive; `instead` happens."""
        self._cuts[f"model.{method}"] = instead

    def take_cut(self, method: str) -> Callable[[], object] | None:
        return self._cuts.pop(method, None)

    def reauthorise(self) -> None:
        self._closed_to_us = False

    def next_fault(self, method: str) -> tuple[Fault, float | None] | None:
        """Take the fault that is due for a method, if one is."""
        if self._closed_to_us:
            return Fault.AUTH, None
        writes = method.rpartition(".")[2] not in READS
        if not self._faults or (self._faults[0][1] and not writes):
            return None
        fault, _, wait = self._faults.pop(0)
        return fault, wait

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    between: Between

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        method = json.loads(body)["method"]
        self.between.log.append(method)
        if (instead := self.between.take_cut(method)) is not None:
            instead()
            self.close_connection = True
            return
        due = self.between.next_fault(method)
        fault, wait = due or (None, None)
        if fault is Fault.TIMEOUT_BEFORE:
            self.close_connection = True
        elif fault is Fault.AUTH:
            self._answer(401, b"")
        elif fault is Fault.SERVER_ERROR:
            self._answer(500, b"")
        elif fault is Fault.RATE_LIMITED:
            self._answer(429, b"", None if wait is None else {"retry-after": f"{wait:.0f}"})
        else:
            self._pass_on(method, body, answered=fault is not Fault.TIMEOUT_AFTER)

    def _pass_on(self, method: str, body: bytes, *, answered: bool) -> None:
        own = ("content-type", "authorization")
        headers = {name: self.headers[name] for name in own if name in self.headers}
        headers["accept-encoding"] = "identity"
        url = self.between.target + self.path
        request = urllib.request.Request(url, body, headers)  # noqa: S310 - loopback
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
                status, told = answer.status, answer.read()
                date = answer.headers["Date"]
        except urllib.error.HTTPError as error:
            status, told, date = error.code, error.read(), error.headers["Date"]
        if status == 200 and not told.startswith(b'{"id":1,"error"'):
            self.between.passed.append(method)
        if answered:
            self._answer(status, told, {"date": date})
        else:
            self.close_connection = True

    def _answer(self, status: int, body: bytes, more: dict[str, str] | None = None) -> None:
        self.send_response_only(status)
        for name, value in (more or {}).items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Stay silent."""
