"""Jobs due in one minute against as many raw `docker run` at the same parallelism.

Start delay: from the moment all are due to the engine's own event that the container was started.
Ours are spread over environments, as on a platform: one takes four at a time. None may be lost
unseen, i.e. without a row that says what became of it, and none may be started twice.
MOONBASE_BENCH_CRON_JOBS (500).
"""

from __future__ import annotations

import datetime
import os
import subprocess
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

import docker
from docker.types import IPAMConfig, IPAMPool
from sqlalchemy import Select, select

from app.adapters.engine import Engine
from app.applications.queries import find_application
from app.cron.models import CronRun, RunStatus
from app.deployments.models import CurrentRelease, Deployment, DeploymentStatus, Release
from app.deployments.networks import network_spec
from app.environments.models import Environment
from app.environments.queries import list_environments
from app.extensions import db
from app.installation import installation
from app.regions.operations import allocate_subnet
from app.routes.queries import load_feed
from app.transactions import unit_of_work
from bench.installation import running_installation
from bench.results import Result, percentile, print_table
from tests.engine.private_engine import PrivateEngine
from tests.flows.processes import wait_for
from tests.flows.running_panel import RunningPanel

JOBS = int(os.environ.get("MOONBASE_BENCH_CRON_JOBS", "500"))
AT_ONCE = 8
PER_ENVIRONMENT = max(1, min(20, JOBS // 5))
"""Few enough that all places can be taken: one environment has four of them at most."""
NETWORK = "bench-raw-cron"
HEADWAY_SECONDS = 8
"""Before the minute: the jobs are written down in that time."""
GIVE_UP_SECONDS = 600
COMMAND = "/bin/true"
IMAGE = "moonbase/static:1"
"""What the sites' own is made of. That one bears labels, by which the panel would tidy it up."""


def run() -> list[Result]:
    """Raw first, then ours; print the table and judge."""
    more = {"MOONBASE_CRON_RUNS_AT_ONCE": str(AT_ONCE)}
    with running_installation(["static"], more) as (panel, engine):
        environments = _settle(panel, -(-JOBS // PER_ENVIRONMENT))
        with Starts(engine.socket) as starts:
            raw = _run_raw(engine, starts)
            ours, due = _run_ours(panel, environments, starts)
            rows = _rows(panel, due)
    twice = sum(count > 1 for count in starts.counted("moonbase-cron-").values())
    lost = JOBS - sum(row.status.is_final for row in rows)
    _print(raw, ours, rows)
    ratio = percentile(ours, 0.95) / percentile(raw, 0.95)
    return [
        Result("cron.start_delay_p95", ratio, 1.3),
        Result("cron.lost_unseen", lost, 0),
        Result("cron.not_succeeded", sum(row.status != RunStatus.SUCCEEDED for row in rows), 0),
        Result("cron.twice", twice, 0),
    ]


Row = TypeVar("Row", Release, Deployment)


class Starts:
    """When the engine started which container, from its own events as they come."""

    def __init__(self, url: str) -> None:
        self._client = docker.APIClient(base_url=url, version="auto", timeout=GIVE_UP_SECONDS)
        self._seen: list[tuple[str, float]] = []
        self._stream = self._client.events(decode=True, filters={"event": "start"})

    def __enter__(self) -> Starts:
        threading.Thread(target=self._read, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stream.close()
        self._client.close()

    def _read(self) -> None:
        with suppress(Exception):  # the stream ends with the engine
            for event in self._stream:
                name = event["Actor"]["Attributes"]["name"]
                self._seen.append((name, event["timeNano"] / 1e9))

    def counted(self, prefix: str) -> Counter[str]:
        return Counter(name for name, _ in self._seen if name.startswith(prefix))

    def delays(self, prefix: str, due: float) -> list[float]:
        """Seconds from `due` to each start."""
        return [at - due for name, at in self._seen if name.startswith(prefix)]


def _run_raw(engine: PrivateEngine, starts: Starts) -> list[float]:
    """As many `docker run`, so many at a time. Returns the delays in seconds."""
    client = docker.APIClient(base_url=engine.socket, version="auto")
    prefix = engine.pool.rsplit(".", 2)[0]
    pool = IPAMConfig(pool_configs=[IPAMPool(subnet=f"{prefix}.240.0/24")])
    client.create_network(NETWORK, driver="bridge", ipam=pool)
    words = ["docker", "--host", engine.socket, "run", "--rm", "--network", NETWORK, "--init"]

    def one(number: int) -> None:
        name = f"{NETWORK}-{number}"
        command = [*words, "--name", name, IMAGE, COMMAND]
        subprocess.run(command, check=True, capture_output=True)

    began = time.time()
    with ThreadPoolExecutor(AT_ONCE) as threads:
        list(threads.map(one, range(JOBS)))
    wait_for(lambda: len(starts.counted(NETWORK)) == JOBS, 30)
    # `--rm` has said that they are gone a moment before they are; the network goes with the engine.
    wait_for(lambda: not client.containers(all=True, filters={"name": NETWORK}), 30)
    client.close()
    return starts.delays(NETWORK, began)


def _run_ours(
    panel: RunningPanel, environments: list[int], starts: Starts
) -> tuple[list[float], datetime.datetime]:
    """All due in the next minute. Returns the delays, and when they were due."""
    while time.time() % 60 > 60 - HEADWAY_SECONDS:
        time.sleep(0.1)
    moment = datetime.datetime.now(datetime.UTC).replace(second=0, microsecond=0)
    due = moment + datetime.timedelta(minutes=1)
    job = {
        "label": "Due",
        "command": COMMAND,
        "schedule": f"{due.minute} {due.hour} * * *",
        "zone": "UTC",
        "timeout_seconds": 600,
        "overlap": "skip",
        "repeats_lost": False,
    }
    with panel.app.app_context(), unit_of_work():
        for place, environment_id in enumerate(environments):
            mine = range(JOBS)[place * PER_ENVIRONMENT :][:PER_ENVIRONMENT]
            current = db.session.scalars(_current(environment_id)).one()
            # A release never changes, and the clock has read the present one by now.
            jobs = [{**job, "uuid": f"bench-{number}"} for number in mine]
            read = db.session.get_one(Release, current.release_id)
            release = _copy(read, cron_jobs=jobs, number=read.number + 1)
            db.session.flush()
            current.release_id = release.id
    until = due.timestamp() - time.time() + GIVE_UP_SECONDS
    wait_for(lambda: _are_over(_rows(panel, due)), until, "runs do not end")
    return starts.delays("moonbase-cron-", due.timestamp()), due


def _are_over(rows: list[CronRun]) -> bool:
    time.sleep(1)  # who asks all the time is in the way
    return len(rows) == JOBS and all(row.status.is_final for row in rows)


def _rows(panel: RunningPanel, due: datetime.datetime) -> list[CronRun]:
    with panel.app.app_context():
        found = db.session.scalars(db.select(CronRun).where(CronRun.due_at == due)).all()
        db.session.remove()
        return list(found)


def _settle(panel: RunningPanel, count: int) -> list[int]:
    """So many environments that run the same image; only the first was really deployed."""
    panel.create_application("cron-0")
    panel.push_page("cron-0", "by the clock")
    done = panel.deploy("cron-0")
    assert done.status == DeploymentStatus.SUCCEEDED, done.sentence
    for number in range(1, -(-(count + 1) // 2)):
        panel.create_application(f"cron-{number}")
    with panel.app.app_context():
        with unit_of_work():
            found = [row for number in range(count) for row in _environments(number)][:count]
            model = db.session.scalars(_current(found[0].id)).one()
            for environment in found[1:]:
                _copy_release(environment, model)
            numbers = [environment.id for environment in found]
        _make_networks(numbers)
    return numbers


def _environments(number: int) -> list[Environment]:
    """Live first."""
    application = find_application(f"cron-{number}")
    return list(reversed(list_environments(application.id))) if application else []


def _copy_release(environment: Environment, model: CurrentRelease) -> None:
    release = _copy(model.release, environment_id=environment.id)
    deployment = _copy(
        db.session.get_one(Deployment, model.deployment_id), environment_id=environment.id
    )
    db.session.flush()
    row = CurrentRelease(
        environment_id=environment.id, release_id=release.id, deployment_id=deployment.id
    )
    db.session.add(row)


def _copy(source: Row, **changes: object) -> Row:
    """A new row that says the same but for `changes`."""
    skipped = {"id", "uuid", "created_at"}
    columns = [column.key for column in source.__table__.columns if column.key not in skipped]
    row = type(source)(**{name: getattr(source, name) for name in columns} | changes)
    db.session.add(row)
    return row


def _make_networks(environment_ids: list[int]) -> None:
    """As deployments would have."""
    here = installation()
    engine: Engine = here.adapters.engine
    with unit_of_work():
        epoch = load_feed().epoch
        specs = []
        for number in environment_ids:
            environment = db.session.get_one(Environment, number)
            prefix = here.settings.network_prefix
            subnet = allocate_subnet(environment.region, environment.id, prefix)
            specs.append(network_spec(epoch, environment.uuid, subnet.cidr))
    for spec in specs:
        engine.ensure_network(spec)


def _current(environment_id: int) -> Select[CurrentRelease]:
    return select(CurrentRelease).where(CurrentRelease.environment_id == environment_id)


def _print(raw: list[float], ours: list[float], rows: list[CronRun]) -> None:
    table = [
        [name, *(f"{percentile(values, share):.2f}" for share in (0.5, 0.95, 1)), len(values)]
        for name, values in (("raw docker run", raw), ("ours", ours))
    ]
    heading = f"{JOBS} jobs, {AT_ONCE} at a time: seconds from due to started"
    print_table(heading, ("", "p50", "p95", "last", "n"), table)
    ends = Counter(str(row.status) for row in rows)
    print_table("How they ended", ("state", "n"), sorted(ends.items()))
