"""A person's machine: a project with its configuration, the real `divio`, and what stands for the
containers of their own Docker: the same programs, run beside a real PostgreSQL."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.accounts.operations import create_access_token
from app.permissions import Scope
from tests.backups import data
from tests.house.test_code_style import ROOT
from tests.panel import ALICE, Panel, Person, application, user_of

BIN = ROOT / ".venv-clients" / "bin"
COMPOSE = """\
version: "3.4"
services:
  web:
    image: busybox
    volumes: ["./data:/data:rw"]
  database_default:
    image: postgres
    environment:
      SERVICE_MANAGER: {manager}
    volumes: [".:/app:rw"]
"""
DOCKER = """\
#!{python}
import os, sys
words = [word.replace("/app/", {project!r} + "/") for word in sys.argv[3:]]
os.environ.update(PGHOST="127.0.0.1", PGPORT={port!r}, PGDATABASE="postgres")
if words[0] != "ls":
    os.execvp(words[0], words)
"""
DOCKER_COMPOSE = """\
#!{python}
import os, pathlib, subprocess, sys
words = sys.argv[3:]
if words[0] == "config":
    kept = pathlib.Path({project!r} + "-configuration")  # the real one takes half a second
    if not kept.exists():
        kept.write_bytes(subprocess.check_output(["docker-compose", *sys.argv[1:]]))
    print(kept.read_text(), end="")
if words[0] == "ps":
    print("local")
"""


@dataclass
class Home:
    """Where `divio` runs. `port` is that of the local PostgreSQL."""

    panel: Panel
    zone: str
    folder: Path
    port: int = 0
    manager: str = "fsm-postgres"

    def __post_init__(self) -> None:
        settings = self.folder / ".config" / "divio"
        for path in (settings, self.project / ".divio", self.project / "data" / "media"):
            path.mkdir(parents=True)
        compose = self._program("compose", DOCKER_COMPOSE)
        self._program("docker", DOCKER)
        quiet = {"sentry-dsn": "", "update_check_timestamp": 9999999999}
        (settings / "config.json").write_text(json.dumps({**quiet, "docker-compose": [compose]}))
        (self.project / "docker-compose.yml").write_text(COMPOSE.format(manager=self.manager))
        with self.panel.reading():
            found = {"application_uuid": application().uuid, "slug": "demo", "zone": self.zone}
        (self.project / ".divio" / "config.json").write_text(json.dumps(found))

    @property
    def project(self) -> Path:
        return self.folder / "demo"

    @property
    def media(self) -> Path:
        return self.project / "data" / "media"

    def _program(self, name: str, text: str) -> str:
        path = self.folder / "bin" / name
        path.parent.mkdir(exist_ok=True)
        known = {"python": sys.executable, "project": str(self.project), "port": str(self.port)}
        path.write_text(text.format(**known))
        path.chmod(0o755)
        return str(path)

    def divio(self, *words: str, person: Person = ALICE) -> tuple[int, str]:
        """Exit code and output of the real client, with a token of theirs in ~/.netrc."""
        netrc = self.folder / ".netrc"
        with self.panel.work():
            text = create_access_token(user_of(person), "laptop", scope=Scope.WRITE)[1]
        netrc.write_text(f"machine localhost\n  login {person.email}\n  password {text}\n")
        netrc.chmod(0o600)
        path = f"{self.folder}/bin:{BIN}:{os.environ.get('PATH', os.defpath)}"
        ended = subprocess.run(
            [BIN / "divio", "--zone", self.zone, *words],
            cwd=self.project,
            env={"HOME": str(self.folder), "PATH": path, "LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
            timeout=120,
        )
        return ended.returncode, ended.stdout + ended.stderr


@contextmanager
def working(panel: Panel) -> Iterator[None]:
    """A worker beside: does what is enqueued for backups as it comes."""
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            data.run_jobs(panel)
            time.sleep(0.1)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@contextmanager
def at_home(panel: Panel, folder: Path, **more: object) -> Iterator[Home]:
    """The panel served, a worker, and a machine from which it is used. `localhost`: what netrc
    calls the machine has no port."""
    with panel.served() as (_, port), working(panel):
        yield Home(panel, f"http://localhost:{port}", folder, **more)  # type: ignore[arg-type]
