"""Hands in the database itself, past all rules of the models. `?` stands for a value."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Sql = Callable[..., list[Any]]
"""`sql("delete from ir_session")`, `sql("select 1 where ? > 0", 5)`: carried out at once."""

CARRY_OUT = """
import json, sys, psycopg
with psycopg.connect(sys.argv[1], autocommit=True) as connection:
    for line in sys.stdin:
        text, params = json.loads(line)
        done = connection.execute(text.replace("?", "%s"), params)
        rows = done.fetchall() if done.description else []
        print(json.dumps(rows, default=str), flush=True)
"""


def in_file(file: Path) -> Sql:
    """Give hands in an SQLite file that a server may have open."""

    def sql(text: str, *params: object) -> list[Any]:
        with contextlib.closing(sqlite3.connect(file, timeout=20)) as opened, opened:
            return opened.execute(text, params).fetchall()

    return sql


@contextlib.contextmanager
def in_postgres(python: Path, uri: str) -> Iterator[Sql]:
    """Give hands in a PostgreSQL database, by the driver that the server itself brings along."""
    with subprocess.Popen(
        [str(python), "-c", CARRY_OUT, uri],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as carrying:
        assert carrying.stdin is not None
        assert carrying.stdout is not None
        asked, told = carrying.stdin, carrying.stdout

        def sql(text: str, *params: object) -> list[Any]:
            print(json.dumps([text, params]), file=asked, flush=True)
            answer = told.readline()
            assert answer, f"refused: {text} {params}"
            return list(json.loads(answer))

        try:
            yield sql
        finally:
            asked.close()
