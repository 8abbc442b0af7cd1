"""`quotey crm connect` and `crm doctor`: getting a connection to work, and seeing why not."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from quotey.app.connecting import Connected, Wish
from quotey.app.doctor import Examination
from quotey.cli.answer import Answer, Injected
from quotey.cli.progress import Tell
from quotey.cli.screen import Screen
from quotey.contract.errors import Diagnostic, ExitCode


def connect(
    provider: Annotated[
        str | None, Parameter(help="the provider, as stub; default: the connection's")
    ] = None,
    /,
    *,
    quotey: Injected,
    wait: Annotated[
        str, Parameter(help="how long to wait for the browser, as 90s or 10m (default)")
    ] = "10m",
    anew: Annotated[
        bool, Parameter(help="connect a new account although the old one looks well")
    ] = False,
    create_properties: Annotated[
        bool, Parameter(help="also make the properties that Quotey needs for itself")
    ] = False,
    moved: Annotated[
        bool, Parameter(help="it is the organisation mirrored here, under another address or name")
    ] = False,
    tell: Tell,
) -> Answer:
    """Authorise the connection: shows an address to open, waits, and releases what waited for it.

    $ quotey crm connect stub
    $ quotey crm connect --wait 5m
    """
    wish = Wish(wait=wait, anew=anew, create_properties=create_properties, moved=moved)
    answer = quotey.connect(provider, wish, tell=tell)
    live = answer.account is not None and quotey.mode == "live"
    return Answer(
        data=answer,
        draw=lambda screen: _draw_connected(screen, answer),
        next=(("quotey crm doctor",) if live else ()) + ("quotey crm sync",),
    )


def _draw_connected(screen: Screen, answer: Connected) -> None:
    screen.line(
        f"Connection {answer.connection} ({answer.provider}) is {answer.state}; "
        f"{answer.released} operations released."
    )
    if answer.account and answer.account.identity:
        screen.line(f"It opens {answer.account.identity} by account {answer.account.account_id}.")
    for name in answer.made:
        screen.line(f"made {name}")


def doctor(*, quotey: Injected) -> Answer:
    """Look at settings, mapping, database, connection and account, then at the CRM itself.

    It asks whether the CRM answers, and whether its properties, lists, stages and currency fit the
    mapping; each finding says what to do.

    $ quotey crm doctor
    """
    answer = quotey.doctor()
    first = next(iter(answer.failed), None)
    return Answer(
        data=answer,
        draw=lambda screen: _draw_examination(screen, answer),
        exit_code=first.exit_code if first else ExitCode.DONE,
        next=tuple(dict.fromkeys(step for one in answer.failed for step in one.next)),
        diagnostics=tuple(found for one in answer.checks for found in one.diagnostics),
    )


def _draw_examination(screen: Screen, answer: Examination) -> None:
    screen.line(f"{len(answer.failed)} of {len(answer.checks)} checks failed")
    screen.table(
        ("check", "result", "what"),
        [(one.name, "ok" if one.ok else "failed", one.sentence) for one in answer.checks],
    )
    for check in answer.checks:
        for found in check.diagnostics:
            screen.line()
            _draw_finding(screen, check.name, found)


def _draw_finding(screen: Screen, check: str, found: Diagnostic) -> None:
    where = ".".join(part for part in (found.entity, found.field) if part)
    place = f" {where}" if where else ""
    screen.line(f"{check}{place}: {found.message}", style="warn")
    if found.fix:
        screen.line(f"  {found.fix}")
