"""`python -m app.processes.start NAME`: become one process of the list.

What containers (docker-compose.yml) run, so that they need no list of their own. NAME is one of
`app.processes.programs`, or `migrate` (schema and base images, then end) or `prepare` (what only
root can do for the others, then end).
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

from app.adapters.cgroups import BUILDS, SANDBOXES, delegate_cgroups
from app.config import Settings
from app.errors import Invalid, PanelError
from app.processes.programs import Program, all_programs

WORKER_USER = 10001
"""The number of the user `moonbase` in the image (Dockerfile)."""


def main() -> int:
    """Becomes the process; returns only after `migrate`, `prepare`, or with 2 and a sentence."""
    try:
        settings = Settings.read()
        name = sys.argv[1] if len(sys.argv) == 2 else ""
        if name == "migrate":
            return _migrate(settings)
        if name == "prepare":
            for purpose in (BUILDS, SANDBOXES):
                delegate_cgroups(purpose, WORKER_USER)
            return 0
        programs = {program.name: program for program in all_programs(settings)}
        if name not in programs:
            raise Invalid(f"Name one of: migrate, prepare, {', '.join(sorted(programs))}.")
    except PanelError as error:
        print(error.sentence, file=sys.stderr)
        return 2
    return _become(programs[name])


def _become(program: Program) -> NoReturn:
    environment = {**os.environ, **program.environment}
    os.execve(program.command[0], program.command, environment)  # noqa: S606 - an argument list


def _migrate(settings: Settings) -> int:
    """Bring the database to the newest schema, and make the base images new sites begin with."""
    flask = str(Path(sys.executable).with_name("flask"))
    migrated = subprocess.run([flask, "panel", "migrate"], check=False).returncode
    if migrated:
        return migrated
    cache = str(settings.data_dir / "tmp" / "base_images")
    words = ["--engine", settings.docker_url, "--cache", cache]
    command = [sys.executable, "-m", "base_images", "static", "python", *words]
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
