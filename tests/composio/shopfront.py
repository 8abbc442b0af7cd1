"""A command line in front of a simulated CRM, and a person with a browser who comes as we wait."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path

import msgspec

from quotey.adapters import discover
from quotey.contract.mapping_file import parse_mapping
from quotey.testing.names import Simulated
from quotey.testing.simulators.clock import RunningClock
from quotey.testing.simulators.hubspot import HubSpotCore
from quotey.testing.simulators.rig import Rig, build_rig
from quotey.testing.simulators.server import serve
from tests.cli.terminal import Clock, Ran, Terminal

Step = Callable[[], None]


class Browser(Clock):
    """A clock in whose sleeps things happen, one at a time: a person opens the link, say."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[Step] = []

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        if self.steps:
            self.steps.pop(0)()


class Shopfront(Terminal):
    """Commands of a Quotey that is to use a simulated CRM, by its own settings file."""

    clock: Browser

    def __init__(self, cwd: Path, provider: Simulated, url: str, rig: Rig, clock: Browser) -> None:
        super().__init__(cwd)
        self.provider = provider
        self.rig = rig
        self.url = url
        self.clock = clock
        self.environ["QUOTEY_CONNECTIONS__MAIN__API_KEY"] = rig.api_key
        self.configure()

    def configure(self, **settings: str) -> None:
        """Write quotey.toml: what every connection needs, and these settings as TOML."""
        given = {
            "provider": f'"{self.provider}"',
            "base_url": f'"{self.url}"',
            "loopback": "true",
            "requests_per_minute": "100000",
            **{
                key: msgspec.json.encode(value).decode() for key, value in self.rig.settings.items()
            },
            **settings,
        }
        lines = [f"{key} = {value}" for key, value in given.items()]
        text = "\n".join(["[connections.main]", *lines])
        (self.cwd / "quotey.toml").write_text(text, encoding="utf-8")

    @property
    def portal(self) -> HubSpotCore:
        """The simulated portal."""
        assert isinstance(self.rig.vendor, HubSpotCore)
        return self.rig.vendor

    def links(self) -> list[str]:
        """Give the links that wait for somebody to follow them."""
        waiting = self.rig.gateway.accounts.accounts.values()
        return [one.link_token for one in waiting if one.status == "INITIATED"]

    def say_yes(self) -> None:
        """Do what the person at the browser does: open the address and allow it."""
        host = self.url.removeprefix("http://")
        with closing(HTTPConnection(host)) as browser:
            browser.request("GET", f"/link/{self.links()[-1]}")
            assert b"ACTIVE" in browser.getresponse().read()

    def connect(self, *words: str, tty: bool = False) -> Ran:
        """Run `crm connect`, with somebody who allows it while we wait."""
        self.clock.steps = [self.say_yes]
        return self("crm", "connect", self.provider, *words, tty=tty)

    def told_link(self, ran: Ran) -> str:
        """Give the address that the command showed."""
        (found,) = re.findall(r"^ +(\S+/link/\S+)$", ran.err, re.MULTILINE)
        return str(found)


@contextmanager
def shopfront(folder: Path, provider: Simulated = "hubspot") -> Iterator[Shopfront]:
    """Serve a simulated CRM and give a command line that is set up for it, not connected yet."""
    clock = Browser()
    text = discover()[provider].shipped_mapping()
    mapping = parse_mapping(text, name="the shipped mapping")
    rig = build_rig(provider, mapping, RunningClock(clock.now))
    with serve(rig.cores) as url:
        yield Shopfront(folder, provider, url, rig, clock)
