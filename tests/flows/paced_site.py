"""A site whose deployment takes its time where a test wants it to."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from app.accounts.queries import find_user
from app.applications.queries import find_application
from app.deployments.models import Deployment, DeploymentStatus
from app.runtime.operations import add_release_command
from app.transactions import unit_of_work
from tests.flows.running_panel import OWNER, RunningPanel

DOCKERFILE = """\
FROM moonbase/static:1
COPY pace /pace
RUN sleep $(cat /pace/build)
COPY public /site
EXPOSE 80
CMD ["/bin/sh", "-c", "sleep $(cat /pace/start); $(cat /pace/server)"]
"""
STUBBORN = "trap '' TERM; exec httpd -f -p 80 -h /site"
"""A server that does not listen to SIGTERM: retiring it takes the whole grace time."""


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
        """The application with a release command, deployed once to Live."""
        self.panel.create_application(self.slug)
        with self.panel.app.app_context(), unit_of_work():
            application, owner = find_application(self.slug), find_user(OWNER)
            assert application
            assert owner
            command = "/bin/sh -c 'sleep $(cat /pace/command)'"
            add_release_command(application, "Take your time", command, owner)
        self.deploy()
        return self

    def push(self, pace: Pace | None = None, is_stubborn: bool = False) -> str:
        """Push a page never seen before, and what its deployment's pace is. Returns the page."""
        self._count += 1
        page = f"{self.slug} page {self._count}"
        paces = {f"pace/{name}": f"{value}\n" for name, value in asdict(pace or Pace()).items()}
        server = "exec /bin/serve"
        dockerfile = DOCKERFILE.replace("$(cat /pace/server)", STUBBORN if is_stubborn else server)
        self.panel.push(self.slug, {"Dockerfile": dockerfile, "public/index.html": page, **paces})
        return page

    def deploy(self, is_stubborn: bool = False) -> Deployment:
        """Push a new page and deploy it; it must succeed and be served."""
        page = self.push(is_stubborn=is_stubborn)
        done = self.panel.deploy(self.slug)
        assert done.status == DeploymentStatus.SUCCEEDED, self.panel.log(done.uuid)
        self.page = page
        self.require_page(page)
        return done

    def require_page(self, page: str) -> None:
        """The ingress serves `page` and nothing else."""
        answer = self.panel.get(self.slug)
        assert (answer.status, answer.body) == (200, page)
