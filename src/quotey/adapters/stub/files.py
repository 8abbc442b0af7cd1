"""Opening the files of a data set: where they are, and what must not be opened.

What the bytes mean is read by `quotey.contract.rows`.
"""

from __future__ import annotations

from pathlib import Path

from quotey.contract.dataset import DataSet, DataSetSpec, parse_dataset_toml
from quotey.contract.errors import DataSetError, Diagnostic, MappingError, Severity
from quotey.contract.fields import Entity
from quotey.contract.rows import read_data_set

MAX_BYTES = 200_000_000
"""The longest file that is read."""

MAX_TEXT_BYTES = 1_000_000
"""The longest TOML file that is read."""

FILE_NAME = "dataset.toml"
DEMO = Path(__file__).parent / "demo"
SHIPPED_MAPPING = DEMO / "stub.toml"


def toml_of(dataset: Path | None) -> Path:
    """Give the `dataset.toml` of a setting: the file itself, in its folder, or the bundled one."""
    if dataset is None:
        return DEMO / FILE_NAME
    return dataset / FILE_NAME if dataset.is_dir() else dataset


def read_spec(dataset: Path | None) -> DataSetSpec:
    """Read `dataset.toml`. Raises DataSetError with every problem."""
    path = toml_of(dataset)
    return parse_dataset_toml(_text(path), name=path.name)


def read_data(dataset: Path | None) -> DataSet:
    """Read a whole data set; rows that are broken are in it as such.

    Raises DataSetError when a file is missing, outside the data set's root, too long, or cannot be
    read at all; it names all of them.
    """
    spec = read_spec(dataset)
    root = (toml_of(dataset).parent / spec.root).resolve()
    contents: dict[str, bytes] = {}
    problems: list[Diagnostic] = []
    for entity, file in spec.files.items():
        try:
            contents[file.file] = _bytes(root, file.file)
        except ValueError as error:
            problems.append(_problem(entity, f"{file.file} {error}."))
    if problems:
        raise _refused(spec.name, problems)
    return read_data_set(spec, contents)


def mapping_text(dataset: Path | None, mapping: Path | None) -> str:
    """Give the text of the mapping to use: the one set, the data set's own, or the shipped one.

    Raises MappingError when the one set cannot be read.
    """
    if mapping is not None:
        return _text(mapping, MappingError)
    own = toml_of(dataset).parent / read_spec(dataset).mapping
    return _text(own if own.is_file() else SHIPPED_MAPPING, MappingError)


def _text(path: Path, problem: type[MappingError] = DataSetError) -> str:
    try:
        if path.stat().st_size > MAX_TEXT_BYTES:
            raise problem(f"{path.name} is longer than {MAX_TEXT_BYTES:,} bytes. Nothing was read.")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise problem(f"{path} cannot be read: {why}. Nothing was changed.") from error


def _bytes(root: Path, name: str) -> bytes:
    """Read one file below `root`; raises ValueError with the end of a sentence."""
    path = (root / name).resolve()
    if not path.is_relative_to(root):
        raise ValueError("is outside the folder of the data set")
    if not path.is_file():
        raise ValueError("is missing, or is no plain file")
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"is longer than {MAX_BYTES:,} bytes")
    try:
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from error


def _problem(entity: Entity, message: str) -> Diagnostic:
    return Diagnostic(
        code="file", severity=Severity.ERROR, message=message, entity=entity.value, field="file"
    )


def _refused(name: str, problems: list[Diagnostic]) -> DataSetError:
    told = " ".join(problem.message for problem in problems)
    return DataSetError(f"The data set {name} cannot be read: {told}", diagnostics=tuple(problems))
