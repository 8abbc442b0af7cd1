"""A real Tryton server on loopback, from `.venv-e2e`: prepared once, copied for each run.

What is prepared is kept in `.venv-e2e/kept` under a name that changes with what makes it. Nothing
is left behind: databases stand in a temporary folder, and the servers are stopped with it.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import pwd
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.e2e.database import Sql, in_file, in_postgres
from tests.e2e.hands import PASSWORD, Hands
from tests.e2e.prepared import OURS, set_up

ROOT = Path(__file__).parents[2]
VENV = ROOT / ".venv-e2e"
MODULES = ("sale", "sale_opportunity")
PATIENCE = 60.0
NO_POSTGRES = (
    "PostgreSQL is not here, so what needs it is skipped. Next: apt-get install postgresql"
)
NOBODY = "nobody"
FOLDER = "quotey-e2e-"
"""How the names of our temporary folders begin; our process's id follows."""
DIE_WITH_PARENT = 1
"""PR_SET_PDEATHSIG of prctl(2)."""


class Tryton:
    """A running server with one database; `url` and `database` are its settings."""

    database = "demo"
    user = OURS
    password = PASSWORD

    def __init__(self, url: str, sql: Sql) -> None:
        self.url = url
        self.sql = sql

    def hands(self, user: str = "admin") -> Hands:
        """Give hands of another user of the same server."""
        return Hands(self.url, self.database, user)


def kept(name: str) -> Path:
    """Say where something that was prepared is kept, for these versions and this set-up."""
    made_from = (ROOT / "requirements-e2e.lock", Path(__file__).with_name("prepared.py"))
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in made_from)).hexdigest()[:12]
    return VENV / "kept" / f"{digest}-{name}"


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """Make a folder of our own, and clear those whose processes were killed."""
    for old in Path(tempfile.gettempdir()).glob(f"{FOLDER}*"):
        owner = old.name.removeprefix(FOLDER).partition("-")[0]
        if owner.isdigit() and not Path("/proc", owner).exists() and Path("/proc/self").exists():
            shutil.rmtree(old, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=f"{FOLDER}{os.getpid()}-") as name:
        yield Path(name)


@contextlib.contextmanager
def on_sqlite() -> Iterator[Tryton]:
    """Run a server on a copy of the prepared SQLite file."""
    with _folder() as folder:
        file = folder / "demo.sqlite"
        template = kept("demo.sqlite")
        fresh = not template.is_file()
        if fresh:
            file.touch()
        else:
            shutil.copyfile(template, file)
        uri = f"sqlite://\npath = {folder}"
        with _serving(folder, uri, in_file(file), fresh=fresh) as tryton:
            if fresh:
                _keep(file, template)
            yield tryton


def postgres_programs() -> Path | None:
    """Find the programs of a PostgreSQL server, None where there are none that we may run."""
    found = shutil.which("initdb")
    places = (
        [Path(found).resolve().parent]
        if found
        else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    )
    usable = [place for place in places if (place / "initdb").exists()]
    return usable[-1] if usable else None


@contextlib.contextmanager
def on_postgres(programs: Path) -> Iterator[Tryton]:
    """Run a server on a copy of the prepared PostgreSQL cluster."""
    template = kept(f"{programs.parent.name}-cluster.tar")
    if not template.is_file():
        _prepare_cluster(programs, template)
    with _folder() as folder:
        with tarfile.open(template) as packed:
            packed.extractall(folder, filter="tar")
        with _on_cluster(programs, folder, fresh=False) as tryton:
            yield tryton


def _prepare_cluster(programs: Path, template: Path) -> None:
    """Fill a cluster and keep it, whole or not at all."""
    with _folder() as folder:
        with _on_cluster(programs, folder, fresh=True):
            pass
        template.parent.mkdir(parents=True, exist_ok=True)
        draft = template.with_suffix(".new")
        with tarfile.open(draft, "w") as packed:
            packed.add(folder / "cluster", "cluster")
        draft.replace(template)


@contextlib.contextmanager
def _on_cluster(programs: Path, folder: Path, *, fresh: bool) -> Iterator[Tryton]:
    folder.chmod(0o755)  # another user has to reach the cluster in it
    with _cluster(programs, folder / "cluster", fresh=fresh) as port:
        uri = f"postgresql://postgres@127.0.0.1:{port}/"
        with (
            in_postgres(VENV / "bin" / "python", uri + Tryton.database) as sql,
            _serving(folder, uri, sql, fresh=fresh) as tryton,
        ):
            yield tryton


@contextlib.contextmanager
def _cluster(programs: Path, cluster: Path, *, fresh: bool) -> Iterator[int]:
    """Start a cluster of our own on a free port, as a user who may."""
    owner = pwd.getpwnam(NOBODY) if os.geteuid() == 0 else None
    if fresh:
        cluster.mkdir()
    if owner is not None:
        subprocess.run(["chown", "-R", NOBODY, cluster], check=True)
    if fresh:
        words = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"]
        _run([str(programs / "initdb"), *words, "-D", str(cluster)], owner=owner)
    cluster.chmod(0o700)
    port = free_port()
    options = ["-D", str(cluster), "-p", str(port), "-h", "127.0.0.1", "-k", "", "-F"]
    command = [str(programs / "postgres"), *options]
    log = cluster.parent / "postgres.log"
    # SIGINT is its fast shutdown; at SIGTERM it would wait for its clients.
    with _started(command, log, signal.SIGINT, owner) as process:
        _until(lambda: _listens(port), process, log)
        if fresh:
            # Not every PostgreSQL comes with createdb.
            reach = f"host=127.0.0.1 port={port} user=postgres dbname=postgres"
            make = f"create database {Tryton.database}"
            code = f"import psycopg as p; p.connect({reach!r}, autocommit=True).execute({make!r})"
            python = str(VENV / "bin" / "python")
            _until(lambda: _works([python, "-c", code]), process, log)
        yield port


@contextlib.contextmanager
def _serving(folder: Path, uri: str, sql: Sql, *, fresh: bool) -> Iterator[Tryton]:
    """Start the server on a database, which is filled first when it is fresh."""
    port = free_port()
    conf = folder / "trytond.conf"
    conf.write_text(f"[database]\nuri = {uri}\n[web]\nlisten = 127.0.0.1:{port}\n")
    words = ["-c", str(conf), "-d", Tryton.database]
    if fresh:
        secret = folder / "password"
        secret.write_text(PASSWORD)
        env = {**os.environ, "TRYTONPASSFILE": str(secret)}
        more = ["-u", *MODULES, "--activate-dependencies", "-p", "--email", "admin@crm.example"]
        _run([str(VENV / "bin" / "trytond-admin"), *words, *more], env)
    log = folder / "trytond.log"
    programs = [str(VENV / "bin" / "trytond"), *words]
    with _started(programs, log, signal.SIGTERM) as process:
        tryton = Tryton(f"http://127.0.0.1:{port}", sql)
        # With -d it listens only once the models are loaded.
        _until(lambda: _listens(port), process, log)
        if fresh:
            set_up(tryton.hands())
        yield tryton


@contextlib.contextmanager
def _started(
    command: list[str], log: Path, stop: signal.Signals, owner: pwd.struct_passwd | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server; it ends with this block, and when we are killed."""

    def die_with_parent() -> None:
        # Called once the user is changed: that would take it back.
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(DIE_WITH_PARENT, stop)

    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            stdout=out,
            stderr=out,
            cwd=log.parent,
            preexec_fn=die_with_parent,  # noqa: PLW1509 - no thread of ours runs yet
            **_as(owner),
        )
        try:
            yield process
        finally:
            process.send_signal(stop)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _as(owner: pwd.struct_passwd | None) -> dict[str, Any]:
    """Say as whom a program is to run: PostgreSQL refuses to be root."""
    if owner is None:
        return {}
    return {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}


def _keep(file: Path, template: Path) -> None:
    """Keep a prepared file, whole or not at all, while the server may still hold it."""
    template.parent.mkdir(parents=True, exist_ok=True)
    draft = template.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with (
        contextlib.closing(sqlite3.connect(file)) as source,
        contextlib.closing(sqlite3.connect(draft)) as target,
    ):
        source.backup(target)
    draft.replace(template)


def _run(
    command: list[str],
    env: dict[str, str] | None = None,
    owner: pwd.struct_passwd | None = None,
) -> None:
    done = subprocess.run(
        command, capture_output=True, text=True, env=env, check=False, cwd="/", **_as(owner)
    )
    assert done.returncode == 0, f"{command[0]} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"


def _works(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False, cwd="/").returncode == 0


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _until(holds: object, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait for what a server becomes able to do."""
    assert callable(holds)
    end = time.monotonic() + PATIENCE
    while not holds():
        told = log.read_text(errors="replace")[-2000:]
        assert process.poll() is None, f"{process.args!r} ended:\n{told}"
        assert time.monotonic() < end, f"{process.args!r} was not ready in time:\n{told}"
        time.sleep(0.2)
