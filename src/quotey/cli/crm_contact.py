"""`quotey crm contact`: show; contacts only flow in."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from quotey.cli.answer import Answer, Injected
from quotey.cli.draw_records import draw_record


def show(
    contact: Annotated[str, Parameter(help="the contact, by our id or the CRM's")],
    /,
    *,
    quotey: Injected,
) -> Answer:
    """Show a contact as it stands here: values, open items.

    $ quotey crm contact show C-1001
    """
    answer = quotey.contact_show(contact)
    return Answer(data=answer, draw=lambda screen: draw_record(screen, answer))
