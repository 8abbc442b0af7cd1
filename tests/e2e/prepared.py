"""What every prepared database holds besides Tryton's own. A change here prepares them anew."""

from __future__ import annotations

from tests.e2e.hands import PASSWORD, Hands, decimal

OURS, SELLER = "quotey", "seller"
"""Quotey's own user, with the rights that the how-to asks for, and a person who sells."""
GROUPS = ("Sales", "Sale Opportunity")


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
