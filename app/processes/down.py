"""`make stop`: end the panel, the ingress and the containers of all sites. Nothing is removed."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import inspect

from app.adapters.engine import LABEL_INSTALLATION, LABEL_SERVICE, Engine
from app.adapters.engine.docker import DockerEngine
from app.config import Settings
from app.errors import PanelError
from app.extensions import db
from app.factory import create_app
from app.processes.supervisor import Supervisor
from app.routes.models import Feed
from app.routes.queries import load_feed

SITE_GRACE = 10
SERVER_GRACE = 40
"""Seconds: an object storage takes up to 30 to write down what it holds."""


def main() -> int:
    """0 when all is down; 1 with a sentence otherwise."""
    try:
        settings = Settings.read()
        for name in ("panel", "ingress"):
            if Supervisor(name, settings).stop():
                print(f"stopped the {name}")
        _stop_sites(settings)
    except PanelError as error:
        print(error.sentence, file=sys.stderr)
        return 1
    return 0


def _stop_sites(settings: Settings) -> None:
    if not (settings.data_dir / "panel").exists():
        return
    with create_app(settings).app_context():
        if not inspect(db.engine).has_table(Feed.__tablename__):
            return  # its first start went no further
        labels = {LABEL_INSTALLATION: load_feed().epoch}
    sites, servers = stop_containers(DockerEngine(settings.docker_url), labels)
    if sites or servers:
        print(f"stopped {sites} container(s) of sites and {servers} of services")


def stop_containers(engine: Engine, labels: Mapping[str, str]) -> tuple[int, int]:
    """Stop all that run with these labels: how many of sites, and of services."""
    running = [state for state in engine.list_containers(labels) if state.running]
    sites = [state.name for state in running if LABEL_SERVICE not in state.labels]
    servers = [state.name for state in running if LABEL_SERVICE in state.labels]
    # Sites first: none loses its database while it still answers.
    _stop_all(engine, sites, SITE_GRACE)
    _stop_all(engine, servers, SERVER_GRACE)
    return len(sites), len(servers)


def _stop_all(engine: Engine, names: Sequence[str], grace: int) -> None:
    with ThreadPoolExecutor(max_workers=8) as pool:
        list(pool.map(lambda name: engine.stop_container(name, grace), names))


if __name__ == "__main__":
    sys.exit(main())
