"""`quotey crm certify`: hold adapters against the contract, and write down what was found."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from quotey.app.certify import Certification
from quotey.cli.answer import Answer, Folder, Injected
from quotey.cli.progress import Show
from quotey.cli.screen import Screen
from quotey.testing.names import Certified

BANNER = "certificate: simulated CRMs on this machine, nothing leaves it"


def certify(
    *providers: Annotated[Certified, Parameter(help="whose adapters; default: all")],
    quotey: Injected,
    cwd: Folder,
    out: Annotated[
        Path | None, Parameter(help="a folder that gets parity.html, .json and .md")
    ] = None,
    live: Annotated[
        bool, Parameter(help="try the connection's own account: a scratch account, deals stay")
    ] = False,
    progress: Show = None,
) -> Answer:
    """Run the conformance suite on adapters, and show what each keeps of the contract.

    The stub is always run beside the others, as the yardstick. The vendors are simulated, behind
    the simulated gateway, over HTTP. It takes about ten seconds for each adapter, and ends with
    exit code 3 when something failed. It needs: pip install 'quotey[testing]'.

    With --live the account of the connection is tried instead, as far as a live CRM lends itself to
    it: what would delete, merge or break something is not offered. The deals that it makes stay, so
    use a scratch account that has an account and a deal already.

    $ quotey crm certify
    $ quotey crm certify stub --out certificate
    $ quotey crm certify --live --connection sandbox
    """
    where = cwd / out if out else None
    found = quotey.certify(providers, out=where, live=live, progress=progress)
    return Answer(
        data=found,
        draw=lambda screen: _draw(screen, found),
        exit_code=found.exit_code,
        banner="" if live else BANNER,
    )


def _draw(screen: Screen, found: Certification) -> None:
    screen.line(f"{len(found.findings)} findings")
    screen.table(
        ("adapter", "tier", "passed", "failed", "not offered", "tried on"),
        [
            (one.provider, one.tier, one.passed, one.failed, one.not_offered, one.world)
            for one in found.providers
        ],
    )
    if found.findings:
        screen.line()
        screen.table(
            ("adapter", "the contract says", "what was found"),
            [(one.provider, one.promise, one.reason) for one in found.findings],
        )
    if found.files:
        screen.line()
        screen.pairs([("written", one) for one in found.files])
