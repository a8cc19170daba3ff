"""`make run`: bring everything up, deploy the demo on the first start, stay until Ctrl-C."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from app.adapters.engine.docker import DockerEngine
from app.config import Settings, kept_secret
from app.errors import Invalid, PanelError, Unavailable
from app.processes.accounts import Accounts, prepare_accounts, prepare_directories
from app.processes.demo import Demo, make_demo
from app.processes.programs import as_family, ingress_programs, panel_programs
from app.processes.supervisor import ROOT, Supervisor

ENGINE_SECONDS = 60
START_SECONDS = 60
INGRESS_NAMES = ("PATH", "LANG", "TZ", "HOME", "PYTHONUNBUFFERED")
"""All the ingress is told of the environment: no key, no address of a database."""


def main() -> int:
    """0 after Ctrl-C, 1 with a sentence when something could not be brought up."""
    try:
        settings = Settings.read()
        return _run(settings)
    except PanelError as error:
        print(f"\n{error.sentence}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        print(f"\nThis failed: {' '.join(map(str, error.cmd))}", file=sys.stderr)
        return 1


def _run(settings: Settings) -> int:
    ingress, panel = Supervisor("ingress", settings), Supervisor("panel", settings)
    if panel.pid():
        print(f"It runs already: {settings.panel_url}/")
        return 0
    _require_free_ports(settings, with_sites=ingress.pid() is None)
    accounts = prepare_accounts(sys.executable, ROOT)
    environment = _environment(settings)
    kept_secret(settings.data_dir / "secrets" / "ingress.token")
    prepare_directories(settings, accounts)
    _say("Container engine", lambda: _ensure_engine(settings))
    accounts.delegate_cgroups()
    _say("Base image", lambda: _ensure_base_image(settings))
    _say("Database", lambda: _flask(settings, "panel", "migrate"))
    prepare_directories(settings, accounts)  # what migrating made belongs to the processes too
    bare = {name: environment[name] for name in INGRESS_NAMES if name in environment}
    ingress.start(ingress_programs(settings), bare | accounts.ingress(), accounts)
    programs = as_family(panel_programs(settings))
    pid = panel.start(programs, environment | accounts.family(), accounts)
    stop = _on_signals()
    try:
        _say("Panel", lambda: _wait_for(f"{settings.panel_url}/health/"))
        demo = make_demo(settings) if os.environ.get("DEMO", "1") != "0" else None
        _print_welcome(settings, demo, accounts)
        python_image = _begin_python_image(settings)
        while panel.pid() and not stop.wait(1):
            _reap(pid)
            python_image.poll()
    finally:
        print("\nStopping the panel. Sites are still served; `make stop` stops them too.")
        panel.stop()
    return 0


def _require_free_ports(settings: Settings, with_sites: bool) -> None:
    """Raise `Invalid` when somebody else listens where the panel would."""
    ports = {"PORT": settings.port, "SSH_PORT": settings.ssh_port}
    for name, port in (ports | ({"SITES_PORT": settings.sites_port} if with_sites else {})).items():
        with socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind((settings.host, port))
            except OSError as error:
                raise Invalid(
                    f"Port {port} cannot be used ({error.strerror}). Choose another one, e.g. "
                    f"make run {name}={port + 1000}"
                ) from error


def _environment(settings: Settings) -> dict[str, str]:
    """What processes are started with: the person's settings, nothing else of their shell."""
    names = ("PATH", "LANG", "TZ")
    kept = {name: os.environ[name] for name in names if name in os.environ}
    own = {name: value for name, value in os.environ.items() if name.startswith("MOONBASE_")}
    short = ("PORT", "SITES_PORT", "SSH_PORT", "DATABASE_URL", "REDIS_URL", "HOST")
    own |= {name: os.environ[name] for name in short if name in os.environ}
    fixed = {"DATA_DIR": str(settings.data_dir), "HOME": "/nonexistent", "PYTHONUNBUFFERED": "1"}
    return kept | own | fixed


def _say(what: str, act: Callable[[], object]) -> None:
    started = time.monotonic()
    print(f"  {what} …", end="", flush=True)
    act()
    print(f" ready ({time.monotonic() - started:.1f} s)", flush=True)


def _ensure_engine(settings: Settings) -> None:
    """Use the engine that answers, or start the one that is installed."""
    engine = DockerEngine(settings.docker_url)
    if _answers(engine):
        return
    if os.geteuid() != 0:
        raise Unavailable(
            f"No container engine answers at {settings.docker_url}. Start Docker, or let the "
            "present user into its group, then try again."
        )
    log = (settings.data_dir / "log" / "dockerd.log").open("ab")
    command = ["dockerd", "--host", settings.docker_url]
    if "live-restore" not in _daemon_configuration():
        command.append("--live-restore")  # containers outlive a restart of the engine
    subprocess.Popen(
        command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
    )
    until = time.monotonic() + ENGINE_SECONDS
    while not _answers(engine):
        if time.monotonic() > until:
            raise Unavailable(f"The container engine did not start; {log.name} tells why.")
        time.sleep(0.2)


def _answers(engine: DockerEngine) -> bool:
    try:
        engine.ping()
    except Unavailable:
        return False
    return True


def _daemon_configuration() -> str:
    path = Path("/etc/docker/daemon.json")
    return path.read_text() if path.exists() else ""


def _ensure_base_image(settings: Settings) -> None:
    """The one the demo is built on."""
    command = _base_images(settings, "static")
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)


def _begin_python_image(settings: Settings) -> subprocess.Popen[bytes]:
    """Make what Django sites are built on, beside everything else: nobody waits for it, and a
    later start tries again. Its log tells why it failed."""
    with (settings.data_dir / "log" / "base_images.log").open("ab") as log:
        command = _base_images(settings, "python")
        return subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, stdin=subprocess.DEVNULL)


def _base_images(settings: Settings, name: str) -> list[str]:
    cache = settings.data_dir / "cache" / "base_images"
    words = ["--engine", settings.docker_url, "--cache", str(cache)]
    return [sys.executable, "-m", "base_images", name, *words]


def _flask(settings: Settings, *words: str) -> str:
    """Run `flask …` in a process of its own; returns what it printed."""
    environment = {**os.environ, "DATA_DIR": str(settings.data_dir)}
    done = subprocess.run(
        [sys.executable, "-m", "flask", "--app", "app.cli:create_app", *words],
        cwd=ROOT,
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return done.stdout.strip()


def _wait_for(url: str) -> None:
    until = time.monotonic() + START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310 -- our own http address
                return
        except (urllib.error.URLError, OSError):
            if time.monotonic() > until:
                raise Unavailable(f"The panel does not answer at {url}.") from None
            time.sleep(0.1)


def _on_signals() -> threading.Event:
    stop = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    return stop


def _reap(pid: int) -> None:
    """Collect a supervisor that has ended, so that its pid does not look alive."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return


def _print_welcome(settings: Settings, demo: Demo | None, accounts: Accounts) -> None:
    lines = []
    if not accounts.are_separate and os.geteuid() == 0:
        lines.append("All processes run as root: other users cannot read this folder.")
    if demo and demo.password:
        lines += [
            f"Sign in as {demo.email} with the password {demo.password}",
            "(shown once; `flask panel user create` makes more people).",
        ]
    lines += [
        "Push a change: add your SSH key on the page Account → SSH keys, then",
        f"  git clone {settings.ssh_url('demo')}",
        "  … edit public/index.html, commit, git push, and press Deploy.",
        "",
        f"panel URL {settings.panel_url}/",
        f"site URL {demo.url if demo else settings.site_url('<application>.localhost')}/",
        f"git URL {settings.ssh_url('demo')}",
    ]
    print("\n" + "\n".join(lines), flush=True)


if __name__ == "__main__":
    sys.exit(main())
