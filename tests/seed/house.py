"""What the tests of the seed share: the real desk beside the sync's world, and small helpers.

Everything is real: a store on a file, the stub CRM on another, the engine, the desk.
"""

from __future__ import annotations

import re
from pathlib import Path

from quotey.adapters.stub import PROVIDER
from quotey.contract.adapter import Call
from quotey.contract.fields import Entity
from quotey.contract.journal import Operation
from quotey.contract.mapping_file import parse_mapping
from quotey.contract.quote import Quote
from quotey.desk import quotes
from quotey.desk.ports import DeskPorts
from quotey.desk.quotes import QuoteAnswer, QuoteTerms
from tests.cli.terminal import Terminal
from tests.sync.world import ACCOUNTS, DEALS, World, write_dataset

ROOT = Path(__file__).parents[2]
CALL = Call(correlation_id="c_seed")


def desk_of(world: World, actor: str = "ann") -> DeskPorts:
    """Give what a local command gets, on the world's files and with its clock."""
    attachments = world.home / "attachments"
    attachments.mkdir(exist_ok=True)
    return DeskPorts(
        store=world.desk,
        mapping_of=lambda _connection: world.mapping,
        now=world.clock.now,
        ids=world.next_id,
        actor=actor,
        correlation_id=world.next_id("c"),
        mode="stub",
        attachments=attachments,
        home=world.home,
    )


def quoted(world: World, ref: str = "D-1", **terms: object) -> QuoteAnswer:
    """Make a quote of a deal by the real command."""
    given = {"total": "90.00", **terms}
    return quotes.create(desk_of(world), ref, QuoteTerms(**given))  # type: ignore[arg-type]


def operation_of(world: World, answer: QuoteAnswer) -> Operation:
    """Give the outbox operation that a quote command queued, as it stands now."""
    found = world.store.outbox.get(answer.operation_id or "")
    assert found is not None
    return found


def quote_now(world: World, answer: QuoteAnswer) -> Quote:
    """Give a quote as it stands here now."""
    found = world.store.quotes.get(answer.quote.id)
    assert found is not None
    return found


def remap(world: World, text: str) -> None:
    """Lay a mapping of one's own over the shipped one, as `mappings/main.toml` does."""
    world.mapping = parse_mapping(
        f'provider = "stub"\n{text}', name="main.toml", over=world.mapping
    )
    world.restart()


def marker_in_crm(world: World, answer: QuoteAnswer, version: int, ref: str = "D-1") -> None:
    """Let the CRM hold a marker of this quote of ours with another version."""
    world.crm.set(
        "deal",
        ref,
        {
            "quote_id": answer.quote.id,
            "quote_version": str(version),
            "quotey_instance_id": world.store.instance_id,
            "quotey_payload_digest": "a" * 64,
        },
    )


def terminal(folder: Path, *, accounts: str = ACCOUNTS, deals: str = DEALS) -> Terminal:
    """Give a terminal whose stub holds the small data set of the sync tests."""
    data = write_dataset(folder / "data", accounts=accounts, deals=deals)
    text = f'[connections.main]\nprovider = "stub"\ndataset = "{data}"\n'
    (folder / "quotey.toml").write_text(text, encoding="utf-8")
    return Terminal(folder)


def shipped() -> str:
    """Give the text of the stub's shipped mapping."""
    return PROVIDER.shipped_mapping(PROVIDER.settings())


def without(text: str, entity: Entity, field: str) -> str:
    """Take one field's tables out of a mapping file."""
    table = re.escape(f"{entity}.fields.{field}")
    return re.sub(rf"^\[{table}[\].][^[]*(?:\n(?!\[)[^\n]*)*", "", text, flags=re.MULTILINE)
