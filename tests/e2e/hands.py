"""Hands of another user of the Tryton server. They share no line with the adapter."""

from __future__ import annotations

import base64
import json
import urllib.request
from decimal import Decimal
from typing import Any

PASSWORD = "e2e-only-password"
OURS, SELLER = "quotey", "seller"
"""Quotey's own user, with the rights that the how-to asks for, and a person who sells."""
GROUPS = ("Sales", "Sale Opportunity")


class TrytonError(Exception):
    """The server said no; `kind` is its word for why."""

    def __init__(self, error: list[object]) -> None:
        super().__init__(str(error)[:500])
        self.kind = str(error[0])


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

    def raw(self, method: str, params: list[object]) -> Any:  # noqa: ANN401 - JSON
        body = json.dumps({"id": 1, "method": method, "params": params}).encode()
        request = urllib.request.Request(self._url, body, self._headers)  # noqa: S310 - loopback
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - loopback
            told = json.load(answer)
        if "error" in told:
            raise TrytonError(told["error"])
        return told["result"]


def set_up(hands: Hands) -> None:
    """Give the database a company with an employee, two currencies, and users who are no admin."""
    currencies = {}
    for code in ("EUR", "USD"):
        rate = [["create", [{"rate": decimal(1)}]]]
        values: dict[str, object] = {"name": code, "symbol": code, "code": code, "rates": rate}
        values |= {"rounding": decimal("0.01"), "digits": 2}
        currencies[code] = hands("currency.currency.create", [values])[0]
    own, person = hands("party.party.create", [{"name": "Own Company"}, {"name": "Own Employee"}])
    company = hands("company.company.create", [{"party": own, "currency": currencies["EUR"]}])[0]
    employee = hands("company.employee.create", [{"party": person, "company": company}])[0]
    mine = {
        "companies": [["add", [company]]],
        "company": company,
        "employees": [["add", [employee]]],
        "employee": employee,
    }
    hands("res.user.write", [hands.user_id], mine)
    groups = hands("res.group.search", [["name", "in", list(GROUPS)]], 0, None, None)
    assert len(groups) == len(GROUPS)
    for login in (OURS, SELLER):
        user = {"name": login.title(), "login": login, "password": PASSWORD}
        hands("res.user.create", [{**user, **mine, "groups": [["add", groups]]}])
