"""Certifies adapters for the façade: worlds from the test kit, adapters from their folders."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

import quotey
from quotey.adapters import discover
from quotey.app.reports import Progress
from quotey.app.wiring import House
from quotey.contract.errors import ExitCode, UsageError
from quotey.contract.mapping import Mapping as CrmMapping
from quotey.testing.names import CERTIFIED, Certified

if TYPE_CHECKING:
    from quotey.contract.adapter import CrmAdapter
    from quotey.testing.certificate import Certificate
    from quotey.testing.certificate.running import Tried
    from quotey.testing.world import World

YARDSTICK: Certified = CERTIFIED[0]
"""Always tried beside the others: what it offers and another does not is seen then."""

CONNECTION = "main"
HTML, JSON, MARKDOWN = "parity.html", "parity.json", "parity.md"


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the suite's tests on one provider's adapter; `world` is what it ran on."""

    provider: str
    world: str
    tier: int
    passed: int
    failed: int
    not_offered: int


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One promise that an adapter does not keep, and where the suite noticed."""

    provider: str
    promise: str
    test: str
    reason: str


class Certification(msgspec.Struct, frozen=True, kw_only=True):
    """What the conformance suite found; `files` hold the whole matrix where they were asked for."""

    providers: tuple[Counted, ...]
    findings: tuple[Finding, ...]
    files: tuple[str, ...] = ()

    @property
    def exit_code(self) -> ExitCode:
        """How the command ends: findings are for a person."""
        return ExitCode.NEEDS_PERSON if self.findings else ExitCode.DONE


def certify(
    providers: Sequence[Certified],
    out: Path | None,
    progress: Callable[[Progress], None] | None,
    live: House | None = None,
) -> Certification:
    """Run the suite on these providers' adapters, all without; the stub is always among them.

    `live` is a connection whose own account is tried instead of simulators. Raises UsageError when
    what the suite needs is not installed, `live` is a stub, or `out` cannot be written.
    """
    from quotey.testing.certificate.running import certify as run

    if live is not None:
        candidates = [tried(YARDSTICK), _live(live, providers)]
    else:
        asked = providers or CERTIFIED
        candidates = [tried(name) for name in CERTIFIED if name in asked or name == YARDSTICK]
    found = run(
        candidates,
        version=quotey.__version__,
        progress=lambda name, done, _all: _tell(progress, name, done),
    )
    return Certification(
        providers=tuple(
            Counted(
                provider=one.name,
                world=one.world,
                tier=one.tier,
                passed=one.passed,
                failed=one.failed,
                not_offered=one.not_offered,
            )
            for one in found.candidates
        ),
        findings=tuple(
            Finding(
                provider=name, promise=promise.sentence, test=promise.name, reason=result.reason
            )
            for name, promise, result in found.findings
        ),
        files=_written(found, out) if out else (),
    )


def _tell(progress: Callable[[Progress], None] | None, name: str, done: int) -> None:
    if progress:
        progress(Progress(step="certify", entity=name, done=done))


def _written(found: Certificate, out: Path) -> tuple[str, ...]:
    from quotey.testing.certificate import write_certificate
    from quotey.testing.certificate.page import html_of
    from quotey.testing.certificate.text import markdown_of

    texts = {HTML: html_of(found), JSON: write_certificate(found), MARKDOWN: markdown_of(found)}
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (out / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{out} cannot be written: {error.strerror}.") from error
    return tuple(str(out / name) for name in texts)


def tried(name: Certified) -> Tried:
    """Give a provider's adapter with the world that it is tried on."""
    from quotey.testing.certificate.running import Tried
    from quotey.testing.worlds import BEHIND_GATEWAY, StubWorld

    if name == "stub":
        return Tried(name=name, make_world=_stub_world, world=StubWorld.described)
    world = BEHIND_GATEWAY[name]
    mapping = _mapping(name, world.own_mapping)

    def make(folder: Path) -> World:
        return world(mapping, lambda settings: _opened(name, settings, mapping, folder))

    return Tried(name=name, make_world=make, world=world.described)


def _live(house: House, providers: Sequence[Certified]) -> Tried:
    """Give the connection's own adapter with its own account. Raises UsageError for a stub."""
    from quotey.testing.certificate.running import Tried
    from quotey.testing.worlds import LiveWorld

    name = house.provider.name
    if house.provider.is_stub or any(one != name for one in providers):
        asked = ", ".join(providers) or "a live account"
        raise UsageError(
            f"Connection {house.connection} is {name}, so {asked} cannot be tried through it. "
            "Nothing was checked.",
            next=("quotey crm status",),
        )
    options, mapping, home = house.options, house.mapping, house.settings.home

    def make(_folder: Path) -> World:
        return LiveWorld(
            mapping,
            house.adapter,
            lambda: house.provider.open(options, mapping, house.connection, home=home),
            sleep=house.clock.sleep,
            connection=house.connection,
            run=house.ids("run"),
        )

    return Tried(name=name, make_world=make, world=LiveWorld.described)


def _mapping(name: str, own: str) -> CrmMapping:
    from quotey.contract.mapping_file import parse_mapping

    shipped = parse_mapping(discover()[name].shipped_mapping(), name=f"the {name}'s own mapping")
    return parse_mapping(own, name=f"the {name}'s world", over=shipped)


def _opened(
    name: str, settings: Mapping[str, object], mapping: CrmMapping, home: Path
) -> CrmAdapter:
    provider = discover()[name]
    options = msgspec.convert(dict(settings), provider.settings)
    return provider.open(options, mapping, CONNECTION, home=home)


def _stub_world(folder: Path) -> World:
    from quotey.adapters.stub import PROVIDER, StubSettings, open_tools
    from quotey.contract.mapping_file import parse_mapping, with_default_currency
    from quotey.testing.worlds import StubWorld, empty_data_set

    settings = StubSettings(dataset=empty_data_set(folder / "data"))
    mapping = parse_mapping(PROVIDER.shipped_mapping(settings), name="the stub's own mapping")
    currency = PROVIDER.default_currency(settings)
    mapping = with_default_currency(mapping, currency) if currency else mapping
    home = folder / "home"
    return StubWorld(
        mapping,
        lambda: PROVIDER.open(settings, mapping, CONNECTION, home=home),
        open_tools(settings, mapping, CONNECTION, home=home),
    )
