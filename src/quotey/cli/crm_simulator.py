"""`quotey crm simulator`: a CRM to try things on, served on this machine until it is stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from quotey.app.simulator import Simulation, Wishes
from quotey.cli.answer import Answer, Folder, Injected
from quotey.cli.screen import Screen
from quotey.testing.names import SIMULATED, Simulated

BANNER = "simulator: served on this machine, nothing leaves it"
PORT = 8800


def simulator(  # noqa: PLR0913 - what can be wished of it, each by name
    *,
    quotey: Injected,
    cwd: Folder,
    provider: Annotated[Simulated, Parameter(help="whose CRM is simulated")] = SIMULATED[0],
    port: Annotated[int, Parameter(help="where; 0 takes a free one; default: 8800")] = PORT,
    dataset: Annotated[
        Path | None, Parameter(help="a folder with dataset.toml; default: the bundled demo")
    ] = None,
    mapping: Annotated[
        Path | None, Parameter(help="your own mapping file; its properties are made too")
    ] = None,
    seed: Annotated[int, Parameter(help="another seed gives other ids and delays")] = 0,
    fault: Annotated[
        tuple[str, ...], Parameter(help="what goes wrong, as below; may be repeated")
    ] = (),
) -> Answer:
    """Serve a simulated CRM and the gateway in front of it, until Ctrl-C.

    A fault is its kind, then name=value with commas between. Kinds: timeout, server_error,
    rate_limited, token_expired, status, truncated, html, duplicate, late, and at the gateway
    account_expired, no_connection, unsuccessful, html_data. Names: operation (a glob over
    "core METHOD /path"), times, after, effect, status, code, policy, retry_after, delay, hold.

    $ quotey crm simulator
    $ quotey crm simulator --port 8800 --dataset my-data --seed 7
    $ quotey crm simulator --fault rate_limited,retry_after=2,times=3 --fault timeout,effect=true
    """
    running = quotey.simulator(
        Wishes(
            provider=provider,
            port=port,
            dataset=cwd / dataset if dataset else None,
            mapping=cwd / mapping if mapping else None,
            seed=seed,
            faults=fault,
        )
    )
    told = running.told
    return Answer(
        data=told, draw=lambda screen: _draw(screen, told), then=running.serve, banner=BANNER
    )


def _draw(screen: Screen, told: Simulation) -> None:
    records = ", ".join(f"{count} {entity}s" for entity, count in told.records.items())
    screen.line(f"{told.provider} at {told.url} with {records}")
    screen.pairs(
        [
            ("gateway", f"{told.url}/api/v3.1"),
            ("API key", told.api_key),
            ("connected account", told.connected_account_id),
            ("user", told.user_id),
            ("vendor's own token", told.vendor_token),
            ("seed", told.seed),
            *(("fault", one) for one in told.faults),
        ]
    )
    _left_out(screen, told)
    _file(screen, "quotey.toml", told.quotey_toml)
    _file(screen, "mappings/main.toml, if you want the data set's segments", told.mapping_toml)
    _file(screen, "The environment of quotey", _exports(told))
    screen.line()
    screen.line("Ctrl-C stops it.")


def _left_out(screen: Screen, told: Simulation) -> None:
    if told.left_out_count:
        screen.line()
        screen.line(f"{told.left_out_count} things of the data set could not be loaded:")
        for one in told.left_out:
            screen.line(f"  {one}")
        if told.left_out_count > len(told.left_out):
            screen.line(f"  and {told.left_out_count - len(told.left_out)} more")


def _exports(told: Simulation) -> str:
    return "\n".join(f"export {name}={value}" for name, value in told.environment.items())


def _file(screen: Screen, title: str, text: str) -> None:
    """Draw what goes into a file, ready to be copied."""
    if text:
        screen.line()
        screen.line(f"{title}:", style="dim")
        for line in text.splitlines():
            screen.line(f"    {line}" if line else "")
