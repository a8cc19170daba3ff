"""A site whose deployment takes its time where a test wants it to."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from app.accounts.queries import find_user
from app.applications.queries import find_application
from app.deployments.models import Deployment, DeploymentStatus
from app.runtime.operations import add_release_command, remove_release_command
from app.runtime.queries import list_release_commands
from app.transactions import unit_of_work
from tests.flows.processes import wait_for
from tests.flows.running_panel import OWNER, RunningPanel

STUBBORN = "trap '' TERM; exec httpd -f -p 80 -h /site"
"""A server that does not listen to SIGTERM: retiring it takes the whole grace time."""
SERVER = "exec /bin/serve"


@dataclass(frozen=True)
class Pace:
    """Seconds of the build, of the release command, and until the server listens."""

    build: float = 0
    command: float = 0
    start: float = 0


@dataclass
class PacedSite:
    """One application in a panel. `page` is what its newest successful deployment serves."""

    panel: RunningPanel
    slug: str
    page: str = ""
    _count: int = 0

    def create(self) -> PacedSite:
        """The application, deployed once to Live."""
        self.panel.create_application(self.slug)
        self.deploy()
        return self

    def push(self, pace: Pace | None = None, is_stubborn: bool = False) -> str:
        """Push a page never seen before, and what its deployment's pace is. Returns the page."""
        self._count += 1
        page = f"{self.slug} page {self._count}"
        pace = pace or Pace()
        if pace.command:
            self._have_command(True)
        files = {
            "Dockerfile": _dockerfile(pace, STUBBORN if is_stubborn else SERVER),
            "site/index.html": page,
            "pace/command": f"{pace.command}\n",
        }
        self.panel.push(self.slug, files)
        return page

    def deploy(self, is_stubborn: bool = False) -> Deployment:
        """Push a new page and deploy it; it must succeed and be served."""
        self._have_command(False)
        page = self.push(is_stubborn=is_stubborn)
        done = self.panel.deploy(self.slug)
        assert done.status == DeploymentStatus.SUCCEEDED, self.panel.log(done.uuid)
        self.page = page
        self.require_page(page)
        return done

    def _have_command(self, is_wanted: bool) -> None:
        """A release command that takes its time; without, a deployment is a container shorter."""
        with self.panel.app.app_context(), unit_of_work():
            application, owner = find_application(self.slug), find_user(OWNER)
            assert application and owner
            rows = list_release_commands(application.id)
            if is_wanted and not rows:
                command = "/bin/sh -c 'sleep $(cat /pace/command)'"
                add_release_command(application, "Take your time", command, owner)
            for row in () if is_wanted else rows:
                remove_release_command(application, row, owner)

    def wait_for_death(self, plan: Path, uuid: str) -> None:
        """Until the worker has come to where `plan` ends it; it removes the file there."""
        try:
            wait_for(lambda: not plan.exists(), 60)
        except AssertionError:
            log = self.panel.log(uuid)
            raise AssertionError(f"the worker did not come to this step:\n{log}") from None

    @property
    def dockerfile(self) -> str:
        """The one of a site that takes no time anywhere."""
        return _dockerfile(Pace(), SERVER)

    def require_page(self, page: str) -> None:
        """The ingress serves `page` and nothing else."""
        answer = self.panel.get(self.slug)
        assert (answer.status, answer.body) == (200, page)


def _dockerfile(pace: Pace, server: str) -> str:
    """As few steps as the pace allows: the classic builder takes a moment for each."""
    lines = ["FROM moonbase/static:1", "COPY . /"]
    if pace.build:
        lines.append(f"RUN sleep {pace.build}")
    if pace.start or server != SERVER:
        words = json.dumps(["/bin/sh", "-c", f"sleep {pace.start}; {server}"])
        lines.append(f"CMD {words}")
    return "\n".join(lines) + "\n"
