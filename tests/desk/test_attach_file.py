"""A file from anywhere is copied into the attachment root; the reference still never leaves it."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from quotey.contract.errors import UsageError
from quotey.contract.journal import MirrorRecord
from quotey.desk import attachments, quotes
from tests.desk.desk_world import DeskWorld


def root_of(world: DeskWorld) -> Path:
    return world.home / "attachments"


@pytest.fixture
def offer(tmp_path: Path) -> Path:
    place = tmp_path / "desktop" / "offer.pdf"
    place.parent.mkdir()
    place.write_bytes(b"our offer")
    return place


def test_a_file_is_copied_in_and_attached_under_its_name(
    world: DeskWorld, deal: MirrorRecord, offer: Path
) -> None:
    made = world.quoted(deal)
    answer = quotes.attach_file(world.desk, made.quote.id, offer)

    current = answer.quote.current
    assert (current.version, current.attachment_ref, current.attachment_bytes) == (
        2,
        "offer.pdf",
        9,
    )
    assert current.attachment_sha256 == hashlib.sha256(b"our offer").hexdigest()
    copied = root_of(world) / "offer.pdf"
    assert copied.read_bytes() == b"our offer"
    assert copied.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in root_of(world).iterdir()] == ["offer.pdf"]


def test_the_same_file_again_is_the_same_attachment(
    world: DeskWorld, deal: MirrorRecord, offer: Path
) -> None:
    made = world.quoted(deal)
    first = quotes.attach_file(world.desk, made.quote.id, offer)
    second = quotes.attach_file(world.desk, made.quote.id, offer)
    assert first.quote.current == second.quote.current
    assert (first.changed, second.changed) == (True, False)
    assert len(list(root_of(world).iterdir())) == 1
    offer.write_bytes(b"our other offer")
    assert quotes.attach_file(world.desk, made.quote.id, offer).quote.current.version == 3


def test_another_file_of_that_name_keeps_its_place(
    world: DeskWorld, deal: MirrorRecord, offer: Path
) -> None:
    (root_of(world) / "offer.pdf").write_bytes(b"an older offer")
    made = world.quoted(deal)
    digest = hashlib.sha256(b"our offer").hexdigest()
    for _ in range(2):
        answer = quotes.attach_file(world.desk, made.quote.id, offer)
        assert answer.quote.current.attachment_ref == f"offer-{digest[:12]}.pdf"
    assert (root_of(world) / "offer.pdf").read_bytes() == b"an older offer"
    assert len(list(root_of(world).iterdir())) == 2


def test_a_link_of_that_name_is_not_written_through(
    world: DeskWorld, deal: MirrorRecord, offer: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere.pdf"
    elsewhere.write_bytes(b"mine")
    (root_of(world) / "offer.pdf").symlink_to(elsewhere)
    made = world.quoted(deal)
    answer = quotes.attach_file(world.desk, made.quote.id, offer)
    assert (answer.quote.current.attachment_ref or "").startswith("offer-")
    assert elsewhere.read_bytes() == b"mine"


def test_the_root_is_made_when_it_is_not_there(
    world: DeskWorld, deal: MirrorRecord, offer: Path
) -> None:
    root_of(world).rmdir()
    made = world.quoted(deal)
    quotes.attach_file(world.desk, made.quote.id, offer)
    assert root_of(world).stat().st_mode & 0o777 == 0o700


def test_a_file_that_is_in_the_root_already_is_only_named(
    world: DeskWorld, deal: MirrorRecord
) -> None:
    (root_of(world) / "offer.pdf").write_bytes(b"here")
    made = world.quoted(deal)
    answer = quotes.attach_file(world.desk, made.quote.id, root_of(world) / "offer.pdf")
    assert answer.quote.current.attachment_ref == "offer.pdf"


def trap(folder: Path, kind: str) -> Path:
    place = folder / {"odd name": "a:b.pdf", "control": "a\nb.pdf"}.get(kind, "trap.pdf")
    match kind:
        case "link":
            (folder / "real.pdf").write_bytes(b"real")
            place.symlink_to(folder / "real.pdf")
        case "folder":
            place.mkdir()
        case "fifo":
            os.mkfifo(place)
        case "empty":
            place.touch()
        case "big":
            with place.open("wb") as file:
                file.truncate(attachments.MAX_BYTES + 1)
        case "odd name" | "control":
            place.write_bytes(b"x")
        case _:
            assert kind == "missing"
    return place


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("link", "a part of it is a link"),
        ("folder", "it is not a regular file"),
        ("fifo", "it is not a regular file"),
        ("empty", "the file is empty"),
        ("big", "larger than 25 MB"),
        ("missing", "there is no such file"),
        ("odd name", "it must be a plain name"),
        ("control", "it holds control characters"),
    ],
)
def test_what_is_no_plain_file_is_not_copied(
    world: DeskWorld, deal: MirrorRecord, tmp_path: Path, kind: str, told: str
) -> None:
    made = world.quoted(deal)
    before = world.dump()
    with pytest.raises(UsageError, match="Nothing was changed") as caught:
        quotes.attach_file(world.desk, made.quote.id, trap(tmp_path, kind))
    assert told in caught.value.message
    assert [one.field for one in caught.value.diagnostics] == ["attachment_ref"]
    assert "--copy" in (caught.value.diagnostics[0].fix or "")
    assert world.dump() == before
    assert list(root_of(world).iterdir()) == [], "no half copy stays behind"


def test_nothing_is_copied_for_a_quote_that_is_not_there(world: DeskWorld, offer: Path) -> None:
    with pytest.raises(UsageError, match="There is no quote"):
        quotes.attach_file(world.desk, "q_404", offer)
    assert list(root_of(world).iterdir()) == []


def test_a_root_that_is_no_folder_is_told(
    world: DeskWorld, deal: MirrorRecord, offer: Path
) -> None:
    root_of(world).rmdir()
    root_of(world).write_bytes(b"in the way")
    made = world.quoted(deal)
    with pytest.raises(UsageError, match="it cannot be copied"):
        quotes.attach_file(world.desk, made.quote.id, offer)
