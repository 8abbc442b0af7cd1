"""An attachment never leaves its root, not even while somebody swaps links under it (SEC-24)."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from quotey.desk.attachments import AttachmentProblem, fix

REFS = [
    "../secret.txt", "../../etc/passwd", "a/../../secret.txt", "/etc/passwd", "//etc/passwd",
    "a//b", "./a", "a/.", "a/..", "..", ".", "", "~root/x", "file:///etc/passwd",
    "file:a", "http://evil.example/x", "\\\\host\\share", "C:\\x", "c:x", "a\\..\\..\\b",
    "%2e%2e/secret.txt", "%2e%2e%2fsecret.txt", "..%2fsecret.txt", "..%c0%afsecret.txt",
    "a\x00b", "a\nb", "a\x1bb", "a\u202eb", "\ud800", " a", "a ", "x" * 5000, "x/" * 3000,
    "link.txt", "folder-link/secret.txt", "fifo", "folder", "empty.txt", "missing.txt", "-rf",
]  # fmt: skip


@pytest.fixture
def root(tmp_path: Path) -> Path:
    place = tmp_path / "root"
    (place / "folder").mkdir(parents=True)
    (tmp_path / "secret.txt").write_text("secret")
    (place / "good.txt").write_text("good")
    (place / "empty.txt").touch()
    (place / "link.txt").symlink_to(tmp_path / "secret.txt")
    (place / "folder-link").symlink_to(tmp_path)
    os.mkfifo(place / "fifo")
    return place


@pytest.mark.parametrize("ref", REFS, ids=range(len(REFS)))
def test_what_is_no_file_inside_the_root_is_refused(root: Path, ref: str) -> None:
    with pytest.raises(AttachmentProblem):
        fix(root, ref)


def test_a_link_that_is_swapped_in_between_is_never_read(root: Path, tmp_path: Path) -> None:
    """A thousand tries against somebody who turns file into link and back all the time."""
    place, spare, link = root / "good.txt", root / "spare", root / "trap"
    good = fix(root, "good.txt").sha256
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            spare.write_text("good")
            spare.replace(place)
            link.unlink(missing_ok=True)
            link.symlink_to(tmp_path / "secret.txt")
            link.replace(place)

    swapper = threading.Thread(target=swap, daemon=True)
    swapper.start()
    read, refused = 0, 0
    for _ in range(1000):
        try:
            assert fix(root, "good.txt").sha256 == good
            read += 1
        except AttachmentProblem:
            refused += 1
    stop.set()
    swapper.join()
    assert read
    assert refused
