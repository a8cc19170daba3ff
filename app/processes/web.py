"""The web server: gunicorn, with the panel's pages on one listener and the feed on another."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from gunicorn.app.base import BaseApplication

from app.config import Settings
from app.processes.wsgi import create_wsgi_app

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

WORKERS = 2
THREADS = 128
"""Each live page holds a thread: 100 streams left 2 x 128 threads at p50 1.7 ms, 16 threads
locked the panel out (measurements, Part 2 §3)."""
KEEP_ALIVE = 100
"""Seconds a kept connection may rest. Longer than a proxy in front keeps its own (Traefik 90, nginx
60): else the panel closes one at the moment the proxy sends a request on it, and that is lost."""


class Server(BaseApplication):
    """Gunicorn with our options and no command line: it may be forked from the family."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        super().__init__()

    def load_config(self) -> None:
        here = self._settings
        options = {
            "bind": [f"{here.host}:{here.port}", f"{here.internal_host}:{here.internal_port}"],
            "worker_class": "gthread",
            "workers": WORKERS,
            "threads": THREADS,
            "keepalive": KEEP_ALIVE,
            "preload_app": True,
            "timeout": 120,
            "graceful_timeout": 5,
            "control_socket_disable": True,
            "loglevel": "warning",
            # Its defaults are of whoever imported it: in the family that was root.
            "user": os.geteuid(),
            "group": os.getegid(),
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> WSGIApplication:
        return create_wsgi_app()


def main() -> None:
    """Serve until SIGTERM; requests under way get five seconds."""
    Server(Settings.read()).run()


if __name__ == "__main__":
    main()
