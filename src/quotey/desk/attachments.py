"""Attachment references that cannot leave their root: checked by name, opened part by part.

A reference is a relative name inside the attachment root, never a URL and never a path of the
machine. Digest and size are fixed when it is attached. How a file comes into the root is told in
`copying_in`. Source: reliability 4, SEC-24.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from quotey.contract.dto import Attachment

MAX_BYTES = 25 * 1024 * 1024
"""The largest file that may go with a quote."""

MAX_REF = 1024
"""Characters of a reference, as of every name."""

_CHUNK = 1 << 20
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_ENCODED = re.compile(r"%[0-9A-Fa-f]{2}")
_PART_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE_FLAGS = _PART_FLAGS | os.O_NONBLOCK | os.O_NOCTTY


class AttachmentProblem(ValueError):  # noqa: N818 - a verdict with its reason, not a crash
    """This reference cannot be attached; the text is a sentence without the reference."""


def ref_problem(ref: str) -> str | None:
    """Say why a reference is not a plain relative name, or None when it is one.

    >>> ref_problem("2026/offer.pdf") is None
    True
    >>> ref_problem("../secret")
    'it steps outside the attachment root'
    """
    if not ref.strip():
        return "it is blank"
    if len(ref) > MAX_REF:
        return f"it is longer than {MAX_REF} characters"
    if _CONTROL.search(ref):
        return "it holds control characters"
    if _ENCODED.search(ref) or "\\" in ref or ":" in ref:
        return "it must be a plain name: no URL, no drive, no backslash, no percent codes"
    if ref.startswith(("/", "~")) or any(part in ("", ".", "..") for part in ref.split("/")):
        return "it steps outside the attachment root"
    return None


def fix(root: Path, ref: str) -> Attachment:
    """Open the referenced file inside `root` and fix its digest and size.

    Raises `AttachmentProblem` when the name leaves the root, leads over a link, or names anything
    but a regular file of 1 byte to 25 MB.
    """
    if problem := ref_problem(ref):
        raise AttachmentProblem(problem)
    with opened_below(root, ref.split("/")) as handle:
        digest, size = measured(handle)
    return Attachment(ref=ref, sha256=digest, bytes=size)


@contextmanager
def opened_below(root: Path, parts: list[str]) -> Iterator[int]:
    """Open folder by folder, so that no part of the way may be a link (SEC-24)."""
    handles: list[int] = []
    try:
        # The root itself is the operator's choice and may be a link.
        handles.append(os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        for part in parts[:-1]:
            handles.append(os.open(part, _PART_FLAGS | os.O_DIRECTORY, dir_fd=handles[-1]))
        handles.append(os.open(parts[-1], _FILE_FLAGS, dir_fd=handles[-1]))
        yield handles[-1]
    except OSError as error:
        raise AttachmentProblem(reason(error)) from error
    finally:
        for handle in reversed(handles):
            os.close(handle)


def reason(error: OSError) -> str:
    """Say why a file could not be opened, without its name."""
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, NotADirectoryError) or (error.strerror or "").startswith("Too many"):
        return "a part of it is a link or not a folder"
    return f"it cannot be read ({error.strerror})"


def measured(handle: int, into: int | None = None) -> tuple[str, int]:
    """Hash what is really there; the size is what was read, not what the file system claims.

    With `into` it is copied there too. Raises `AttachmentProblem` for what is not a regular file of
    1 byte to 25 MB.
    """
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        raise AttachmentProblem("it is not a regular file")
    digest, size = hashlib.sha256(), 0
    while chunk := os.read(handle, _CHUNK):
        size += len(chunk)
        if size > MAX_BYTES:
            raise AttachmentProblem(f"it is larger than {MAX_BYTES // 1024 // 1024} MB")
        digest.update(chunk)
        if into is not None:
            _write(into, chunk)
    if size == 0:
        raise AttachmentProblem("the file is empty")
    return digest.hexdigest(), size


def _write(handle: int, chunk: bytes) -> None:
    while chunk:
        chunk = chunk[os.write(handle, chunk) :]
