"""A whole installation for flow tests and benchmarks: every process real, on an engine of ours.

It is what `make run` brings up, with other ports, a folder of its own and short times.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from app.accounts import operations as accounts
from app.accounts.queries import find_user
from app.applications.models import Starter
from app.applications.queries import find_application
from app.cli import create_app
from app.config import Settings, kept_secret
from app.deployments.models import Deployment
from app.deployments.operations import request_deployment
from app.deployments.queries import find_deployment
from app.domains.queries import primary_host
from app.environments.models import Environment
from app.environments.queries import find_environment
from app.extensions import db
from app.installation import installation
from app.lifecycle.operations import NewApplication, create_application
from app.organisations.operations import sign_up
from app.organisations.queries import list_organisations
from app.processes.accounts import Accounts, prepare_directories
from app.processes.programs import Program, as_family, ingress_programs, panel_programs
from app.processes.supervisor import ROOT, Supervisor
from app.transactions import unit_of_work
from tests.contracts.git_client import GitClient, make_ssh_key
from tests.flows.processes import (
    LOOK_SECONDS,
    PANEL_PROGRAMS,
    find_processes,
    is_of,
    kill_until_none,
)
from tests.flows.processes import (
    wait_for as wait_for,
)

OWNER = "alice@example.org"
PASSWORD = "correct horse battery"
SHORT_TIMES = {
    "LEASE": "2",
    "HEARTBEAT": "0.5",
    "DRAIN": "0.5",
    "STOP_GRACE": "2",
    "SCHEDULER": "1",
    "RECONCILE": "2",
    "CONNECT_TOTAL": "5",
    "ANSWER": "3",
    "NODE_ALIVE": "6",
    "ROUTE_EFFECTIVE": "25",
}
"""Times the fault tests run with (lease 2 s), in seconds."""
SELDOM = {"RECONCILE": "10"}
"""For installations in which little is broken that it would have to mend: each round is work."""
STATIC_DOCKERFILE = "FROM moonbase/static:1\nCOPY public /site\nEXPOSE 80\n"


@dataclass(frozen=True)
class Answer:
    """What a site answered."""

    status: int
    body: str


class RunningPanel:
    """Processes under real supervisors; rows are made through the rooms' own operations."""

    def __init__(
        self,
        folder: Path,
        engine_url: str,
        pool: str,
        times: Mapping[str, str] | None = None,
        more: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        ports = _free_ports(6)
        times = SHORT_TIMES if times is None else times
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": "/nonexistent",
            "PYTHONUNBUFFERED": "1",
            "PYTHONPATH": str(ROOT),
            "DATA_DIR": str(folder / "var"),
            "PORT": str(ports[0]),
            "SITES_PORT": str(ports[1]),
            "SSH_PORT": str(ports[2]),
            "MOONBASE_INTERNAL_PORT": str(ports[3]),
            "MOONBASE_AGENT_PORT": str(ports[4]),
            "MOONBASE_DOCKER_URL": engine_url,
            "MOONBASE_NETWORK_POOL": pool,
            "MOONBASE_FREE_BYTES_NEEDED": "0",
            **{f"MOONBASE_TIME_{name}": value for name, value in times.items()},
            **(more or {}),
        }
        self.settings = Settings.read(self.environment)
        self.app = create_app(self.settings)
        self.panel = Supervisor("panel", self.settings)
        self.ingress = Supervisor("ingress", self.settings)
        self.worker_command: tuple[str, ...] = ()
        """Another one than the panel's own, which is forked with the rest of the family."""

    # ---- bringing up and down

    def start(self) -> RunningPanel:
        """Migrate and start everything; returns once the panel answers and a node is known."""
        kept_secret(self.settings.data_dir / "secrets" / "ingress.token")
        prepare_directories(self.settings, Accounts(are_separate=False))
        done = self.app.test_cli_runner().invoke(args=["panel", "migrate"])
        assert done.exit_code == 0, done.output
        self.start_ingress()
        self.start_panel()
        with self.app.app_context():
            if find_user(OWNER) is None:
                with unit_of_work():
                    sign_up(OWNER, "Alice", PASSWORD)
        wait_for(self._has_node, 60, "the ingress agent did not report")
        return self

    def start_panel(self) -> None:
        accounts_ = Accounts(are_separate=False)
        self.panel.start(self.panel_programs(), self.environment, accounts_)
        wait_for(self.panel_answers, 90, "the panel did not answer")
        wait_for(self.ssh_answers, 90, "the SSH server did not answer")

    def start_ingress(self) -> None:
        accounts_ = Accounts(are_separate=False)
        self.ingress.start(ingress_programs(self.settings), self.environment, accounts_)

    def panel_programs(self) -> list[Program]:
        """The list of `make run`, with the worker the test wants."""
        programs = panel_programs(self.settings)
        if self.worker_command:
            own: dict[str, Any] = {"command": self.worker_command, "module": ""}
            programs = [replace(row, **own) if row.name == "worker" else row for row in programs]
        return as_family(programs)

    def stop(self) -> None:
        """End every process and remove every container and network of this installation."""
        self.panel.stop()
        self.ingress.stop()
        engine = self.app.extensions["moonbase"].adapters.engine
        with self.app.app_context(), contextlib.suppress(Exception):
            labels = {"moonbase.installation": self.installation_id()}
            for state in engine.list_containers(labels):
                engine.remove_container(state.name)
            for network in engine.list_networks(labels):
                engine.remove_network(network)
        with self.app.app_context():
            db.engine.dispose()

    def flask(self, *words: str) -> str:
        """Run `flask …` as an operator would; returns what it printed."""
        command = [sys.executable, "-m", "flask", "--app", "app.cli:create_app", *words]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def installation_id(self) -> str:
        from app.routes.queries import load_feed

        return load_feed().epoch

    def _has_node(self) -> bool:
        from app.routes.queries import live_nodes

        with self.app.app_context():
            found = bool(live_nodes(5))
            db.session.remove()
            return found

    def panel_answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/health/", timeout=2):
                return True
        except OSError:
            return False

    def ssh_answers(self) -> bool:
        try:
            address = ("127.0.0.1", self.settings.ssh_port)
            with socket.create_connection(address, timeout=2) as connection:
                return connection.recv(4) == b"SSH-"
        except OSError:
            return False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.settings.port}"

    # ---- processes

    def pids(self, program: str) -> list[int]:
        """Pids of a program's processes, children included; `program` as in programs.py."""
        found = find_processes(self.settings.data_dir)
        return [pid for pid, words in found if is_of(program, words)]

    def kill(self, program: str) -> list[int]:
        """SIGKILL every process of a program. Its supervisor starts it again."""
        killed = self.pids(program)
        for pid in killed:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return killed

    def kill_panel(self) -> None:
        """SIGKILL the panel with its supervisor; the ingress runs on."""
        supervisor = self.panel.pid()

        def alive() -> list[int]:
            found = [pid for name in PANEL_PROGRAMS for pid in self.pids(name)]
            return found + ([supervisor] if supervisor and self.panel.pid() else [])

        kill_until_none(alive)

    def kill_everything(self) -> None:
        """SIGKILL every process of the installation, supervisors included."""
        kill_until_none(lambda: [pid for pid, _ in find_processes(self.settings.data_dir)])

    def run_module(self, module: str) -> str:
        """Run `python -m …` as an operator would; returns what it printed."""
        command = [sys.executable, "-m", module]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    # ---- acting as a person

    def create_application(self, slug: str, starter: Starter = Starter.BLANK) -> None:
        with self.app.app_context(), unit_of_work():
            owner = find_user(OWNER)
            assert owner
            create_application(
                NewApplication(slug, slug, starter),
                list_organisations(owner)[0],
                owner,
                installation().adapters.repositories,
                self.settings,
            )

    def token(self) -> str:
        with self.app.app_context(), unit_of_work():
            owner = find_user(OWNER)
            assert owner
            return accounts.create_access_token(owner, "tests")[1]

    def ssh_key(self) -> Path:
        """A key of the owner's, added on the first call."""
        path = self.folder / "keys" / "id"
        if path.exists():
            return path
        path.parent.mkdir(exist_ok=True)
        key = make_ssh_key(path.parent)
        with self.app.app_context(), unit_of_work():
            owner = find_user(OWNER)
            assert owner
            accounts.add_ssh_key(owner, "tests", key.with_suffix(".pub").read_text())
        return key

    def ssh_url(self, slug: str) -> str:
        return f"ssh://git@127.0.0.1:{self.settings.ssh_port}/{slug}.git"

    def push(self, slug: str, files: Mapping[str, str | bytes], branch: str = "main") -> str:
        """Commit `files` on top of what was pushed before and push over SSH; returns the sha."""
        work = self.folder / "work" / slug
        client = GitClient(work, key=self.ssh_key(), port=self.settings.ssh_port)
        if not (work / ".git").exists():
            work.mkdir(parents=True, exist_ok=True)
            client.start(branch)
        sha = client.commit(f"change {time.monotonic_ns()}", files)
        client.push(self.ssh_url(slug), branch, "--force")
        return sha

    def push_page(self, slug: str, text: str) -> str:
        """Push a static site whose page is `text`."""
        return self.push(slug, {"Dockerfile": STATIC_DOCKERFILE, "public/index.html": text})

    def request(self, slug: str, environment: str = "live") -> str:
        """Ask for a deployment; returns its uuid."""
        with self.app.app_context(), unit_of_work():
            row = self._environment(slug, environment)
            store = installation().adapters.repositories
            return request_deployment(row, store, find_user(OWNER)).uuid

    def deploy(self, slug: str, environment: str = "live", seconds: float = 60) -> Deployment:
        """Deploy and wait for the end, whatever it is."""
        return self.wait(self.request(slug, environment), seconds)

    def wait(self, uuid: str, seconds: float = 60) -> Deployment:
        """Wait until a deployment has ended; returns its row, detached, with its steps."""
        with self.app.app_context():
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                row = find_deployment(uuid)
                assert row
                if row.status.is_final:
                    _ = row.steps, row.receipt
                    db.session.expunge_all()
                    db.session.remove()
                    return row
                db.session.rollback()
                time.sleep(LOOK_SECONDS)
        raise AssertionError(f"deployment {uuid} did not end in {seconds} s\n{self.log(uuid)}")

    def log(self, uuid: str) -> str:
        """The deployment's log."""
        from app.logs.queries import log_store

        with self.app.app_context():
            return log_store().deployment(uuid).read_all()

    def _environment(self, slug: str, environment: str) -> Environment:
        application = find_application(slug)
        assert application
        row = find_environment(application.id, environment)
        assert row
        return row

    def host(self, slug: str, environment: str = "live") -> str:
        with self.app.app_context():
            host = primary_host(self._environment(slug, environment).id)
            db.session.remove()
            return host

    def get(self, slug: str, environment: str = "live", path: str = "/") -> Answer:
        """One request through the ingress. Status 0: no connection."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.settings.sites_port}{path}",
            headers={"Host": self.host(slug, environment)},
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return Answer(answer.status, answer.read().decode(errors="replace"))
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.read().decode(errors="replace"))
        except OSError as error:
            return Answer(0, str(error))

    def containers(self) -> list[str]:
        """Names of all containers of this installation in the engine."""
        with self.app.app_context():
            labels = {"moonbase.installation": self.installation_id()}
            db.session.remove()
        engine = self.app.extensions["moonbase"].adapters.engine
        return sorted(state.name for state in engine.list_containers(labels))

    def feed_state(self) -> dict[str, object]:
        """What the ingress agent keeps on disk."""
        found: dict[str, object] = json.loads(
            (self.settings.data_dir / "ingress" / "feed.json").read_text()
        )
        return found


def _free_ports(count: int) -> list[int]:
    """Ports nobody listens on, each with a free neighbour (the agent's pages take the next)."""
    found: list[int] = []
    with contextlib.ExitStack() as stack:
        while len(found) < count:
            first = stack.enter_context(socket.socket())
            first.bind(("127.0.0.1", 0))
            port = first.getsockname()[1]
            second = stack.enter_context(socket.socket())
            with contextlib.suppress(OSError):
                second.bind(("127.0.0.1", port + 1))
                found.append(port)
    return found
