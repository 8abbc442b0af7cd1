"""Hands of another user of the Tryton server. They share no line with the adapter."""

from __future__ import annotations

import base64
import json
import urllib.request
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

PASSWORD = "e2e-only-password"


class TrytonError(Exception):
    """The server said no; `kind` is its word for why."""

    def __init__(self, error: list[object]) -> None:
        super().__init__(str(error)[:500])
        self.kind = str(error[0])
        self.detail: list[object] = list(error[1]) if isinstance(error[1], list) else []


def decimal(number: str | int) -> dict[str, str]:
    """Write an amount as Tryton's JSON does."""
    return {"__class__": "Decimal", "decimal": str(Decimal(number))}


class Hands:
    """A logged-in user; `hands("sale.opportunity.read", [1], ["amount"])` calls a method."""

    def __init__(self, url: str, database: str, user: str = "admin") -> None:
        self._url = f"{url}/{database}/rpc/"
        self._headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
        self.context: dict[str, Any] = {}
        found = self.raw("common.db.login", [user, {"password": PASSWORD}, "en"])
        self.user_id = int(found[0])
        whole = base64.b64encode(f"{user}:{found[0]}:{found[1]}".encode()).decode()
        self._headers["Authorization"] = f"Session {whole}"
        known = self.raw("model.res.user.get_preferences", [True, {}])
        self.context = {key: known[key] for key in ("company", "employee") if known.get(key)}

    def __call__(self, method: str, *params: object, **context: object) -> Any:  # noqa: ANN401 - JSON
        return self.raw(f"model.{method}", [*params, {**self.context, **context}])

    def join(self, group: str) -> None:
        """Become a member of a group."""
        groups = self("res.group.search", [["name", "=", group]], 0, None, None)
        self("res.user.write", [self.user_id], {"groups": [["add", groups]]})

    def wizard(self, name: str, answers: Mapping[str, object], button: str) -> None:
        """Press one button of a wizard, and say yes to its warnings."""
        session = self.raw(f"wizard.{name}.create", [self.context])[0]
        pressing: list[object] = [session, answers, button, self.context]
        try:
            self.raw(f"wizard.{name}.execute", pressing)
        except TrytonError as error:
            if error.kind != "UserWarning":
                raise
            warning = {"name": error.detail[0], "user": self.user_id}
            self("res.user.warning.create", [warning])
            self.raw(f"wizard.{name}.execute", pressing)
        self.raw(f"wizard.{name}.delete", [session, self.context])

    def raw(self, method: str, params: list[object]) -> Any:  # noqa: ANN401 - JSON
        body = json.dumps({"id": 1, "method": method, "params": params}).encode()
        request = urllib.request.Request(self._url, body, self._headers)  # noqa: S310 - loopback
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - loopback
            told = json.load(answer)
        if "error" in told:
            raise TrytonError(told["error"])
        return told["result"]
