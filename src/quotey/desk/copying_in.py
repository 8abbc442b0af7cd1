"""Copying a file of the machine into the attachment root, whole or not at all.

Only what a person names as a file comes in this way, never a reference of a command or request.
Links are not followed, nothing that is there is overwritten. Source: reliability 4, SEC-24.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from quotey.contract.dto import Attachment
from quotey.desk.attachments import AttachmentProblem, fix, measured, opened_below, ref_problem

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_DIGITS = 12
"""Of the digest, in the name of a file whose own name is taken."""


def bring_in(root: Path, source: Path, *, token: str) -> Attachment:
    """Copy a file into the root; gives its reference, digest and size there.

    It keeps its name; when another file has that, the first digits of its digest are added. The
    same file again gives the same reference. `token` names the copy while it is being made. Raises
    `AttachmentProblem` when it is not a regular file of 1 byte to 25 MB or cannot be copied.
    """
    name = source.name
    if problem := ref_problem(name):
        raise AttachmentProblem(problem)
    with opened_below(source.parent, [name]) as handle:
        try:
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
            with _fresh(root / f".{token}.new") as (place, into):
                digest, size = measured(handle, into)
                os.fsync(into)
                ref = _settle(root, place, name, digest)
        except OSError as error:
            raise AttachmentProblem(f"it cannot be copied ({error.strerror})") from error
    return Attachment(ref=ref, sha256=digest, bytes=size)


@contextmanager
def _fresh(place: Path) -> Iterator[tuple[Path, int]]:
    """Make a new file that is gone afterwards unless it was moved to its place."""
    handle = os.open(place, _NEW, 0o600)
    try:
        yield place, handle
    finally:
        os.close(handle)
        place.unlink(missing_ok=True)


def _settle(root: Path, copy: Path, name: str, digest: str) -> str:
    """Move the copy to the first name that is free, or find that the same file is there."""
    plain = PurePosixPath(name)
    for ref in (name, f"{plain.stem}-{digest[:_DIGITS]}{plain.suffix}"):
        if _claim(root / ref):
            copy.replace(root / ref)
            return ref
        if _digest_of(root, ref) == digest:
            return ref
    raise AttachmentProblem("its name is taken by another file in the attachment root")


def _claim(place: Path) -> bool:
    """Take a name by making an empty file of it; False when something has that name."""
    try:
        os.close(os.open(place, _NEW, 0o600))
    except FileExistsError:
        return False
    return True


def _digest_of(root: Path, ref: str) -> str | None:
    with suppress(AttachmentProblem):
        return fix(root, ref).sha256
    return None
