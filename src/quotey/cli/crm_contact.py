"""`quotey crm contact`: show, erase; contacts only flow in."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from quotey.cli.answer import Answer, Injected
from quotey.cli.draw_records import draw_record
from quotey.contract.counting import counted


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


def erase(
    contact: Annotated[str, Parameter(help="the contact, by our id or the CRM's")],
    /,
    *,
    reason: Annotated[str, Parameter(help="why, for the audit")],
    dry_run: Annotated[bool, Parameter(help="show what would go, change nothing")] = False,
    quotey: Injected,
) -> Answer:
    """Erase what is kept of a contact that the CRM has deleted. It cannot be taken back.

    Its values go out of the mirror, items and audit; the audit chain still holds. Backups keep it.

    $ quotey crm contact erase C-1001 --reason "request of 3 May" --dry-run
    """
    answer = quotey.contact_erase(contact, reason=reason, dry_run=dry_run)
    bodies = counted(answer.bodies, "audit body", "audit bodies")
    items = counted(answer.items, "item")
    said = "Would erase" if dry_run else "Erased"
    line = f"{said} contact {answer.contact}: its values, {bodies}, {items}."
    return Answer(data=answer, draw=lambda screen: screen.line(line))
