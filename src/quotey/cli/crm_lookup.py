"""`quotey crm lookup`: find accounts, contacts and deals."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from quotey.cli.answer import Answer, Injected
from quotey.cli.draw_records import draw_found

Crm = Annotated[bool, Parameter(help="ask the CRM instead of the mirror")]
Limit = Annotated[int, Parameter(help="how many, best first; default: 20")]


def account(
    text: Annotated[str, Parameter(help="part of the name, or the domain")],
    /,
    *,
    quotey: Injected,
    crm: Crm = False,
    limit: Limit = 20,
) -> Answer:
    """Find accounts by name or domain.

    $ quotey crm lookup account acme
    $ quotey crm lookup account acme.example --crm
    """
    answer = quotey.lookup_account(text, crm=crm, limit=limit)
    return Answer(data=answer, draw=lambda screen: draw_found(screen, answer))


def contact(
    text: Annotated[str, Parameter(help="part of the name, e-mail or phone")],
    /,
    *,
    quotey: Injected,
    crm: Crm = False,
    limit: Limit = 20,
) -> Answer:
    """Find contacts by name, e-mail or phone.

    $ quotey crm lookup contact kim
    $ quotey crm lookup contact kim@acme.example --crm
    """
    answer = quotey.lookup_contact(text, crm=crm, limit=limit)
    return Answer(data=answer, draw=lambda screen: draw_found(screen, answer))


def deal(
    text: Annotated[str, Parameter(help="part of the name")],
    /,
    *,
    quotey: Injected,
    limit: Limit = 20,
) -> Answer:
    """Find deals by name, in the mirror.

    $ quotey crm lookup deal roof
    """
    answer = quotey.lookup_deal(text, limit=limit)
    return Answer(data=answer, draw=lambda screen: draw_found(screen, answer))
