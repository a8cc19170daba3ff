"""`make stop`: end the panel, the ingress and the containers of all sites. Nothing is removed."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

from app.adapters.engine import LABEL_INSTALLATION
from app.adapters.engine.docker import DockerEngine
from app.config import Settings
from app.errors import PanelError
from app.factory import create_app
from app.processes.supervisor import Supervisor
from app.routes.queries import load_feed


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
        labels = {LABEL_INSTALLATION: load_feed().epoch}
    engine = DockerEngine(settings.docker_url)
    running = [state.name for state in engine.list_containers(labels) if state.running]
    with ThreadPoolExecutor(max_workers=8) as pool:
        list(pool.map(lambda name: engine.stop_container(name, 10), running))
    if running:
        print(f"stopped {len(running)} container(s)")


if __name__ == "__main__":
    sys.exit(main())
