"""A deployment against the raw Docker calls for the same Dockerfile, and a roll back likewise.

Ours: from the pushed commit to the first 200 of the new version through the ingress. Raw: build
without cache, create, start, first 200 from the container itself. Pairs alternate in who is first.
Both ask every few milliseconds on a new connection.
"""

from __future__ import annotations

import http.client
import io
import statistics
import tarfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

import docker
from docker.types import EndpointConfig, IPAMConfig, IPAMPool

from app.accounts.queries import find_user
from app.applications.queries import find_application
from app.deployments.models import Deployment, DeploymentStatus
from app.deployments.operations import request_roll_back
from app.deployments.queries import find_current, list_releases
from app.environments.models import LIVE
from app.environments.queries import find_environment
from app.transactions import unit_of_work
from bench.installation import WHEELS, running_installation
from bench.results import SUMMARY, Result, print_table, summary
from bench.sites import Files, flask_site, static_site
from tests.engine.private_engine import PrivateEngine
from tests.flows.running_panel import OWNER, RunningPanel

PAIRS = 5
ASK_SECONDS = 0.005
SETTLE_SECONDS = 1.5
"""Between two measurements: what a deployment leaves to be cleaned up must not burden the next."""
GIVE_UP_SECONDS = 120
RAW_NETWORK = "bench-raw"


@dataclass
class Pairs:
    """Seconds of ours and raw, pair by pair, and where ours went: by step of the pipeline."""

    ours: list[float] = field(default_factory=list)
    raw: list[float] = field(default_factory=list)
    steps: dict[str, list[float]] = field(default_factory=dict)
    raw_steps: dict[str, list[float]] = field(default_factory=dict)

    @property
    def ratio(self) -> float:
        """The median over the pairs of what ours took for each second of raw."""
        return statistics.median(a / b for a, b in zip(self.ours, self.raw, strict=True))


def run() -> list[Result]:
    """Measure a static site, a Flask site and a roll back; print the tables and judge."""
    with running_installation(["static", "python"]) as (panel, engine):
        raw = RawDocker(engine)
        static = _measure(panel, raw, "static-site", static_site)
        flask = _measure(panel, raw, "flask-site", lambda text: flask_site(text, WHEELS), 8000)
        back = _measure_roll_back(panel, raw)
        raw.close()
    for title, pairs in (("static", static), ("flask", flask), ("roll back", back)):
        _print(title, pairs)
    return [
        Result("deploy_overhead.static", static.ratio, 2.5),
        Result("deploy_overhead.flask", flask.ratio, 1.25),
        Result("deploy_overhead.roll_back", back.ratio, 3),
    ]


class RawDocker:
    """Docker's own calls on the same engine, in a network of their own."""

    def __init__(self, engine: PrivateEngine) -> None:
        self._api = docker.APIClient(base_url=engine.socket, version="auto", timeout=120)
        self._build_network = engine.build_network
        prefix = engine.pool.rsplit(".", 2)[0]
        self._address = f"{prefix}.250.10"
        pool = IPAMConfig(pool_configs=[IPAMPool(subnet=f"{prefix}.250.0/24")])
        self._api.create_network(RAW_NETWORK, driver="bridge", ipam=pool)

    def build(self, files: Files, tag: str) -> float:
        """Build without cache; seconds. The context is packed beforehand."""
        context = _packed(files)
        began = time.monotonic()
        answer = self._api.build(
            fileobj=context,
            custom_context=True,
            nocache=True,
            rm=True,
            forcerm=True,
            tag=tag,
            decode=True,
            network_mode=self._build_network,
        )
        for message in answer:
            assert "error" not in message, message
        return time.monotonic() - began

    def run(self, tag: str, port: int, version: str) -> float:
        """Create, start, first 200 with `version`; seconds. The container is removed after it."""
        began = time.monotonic()
        settings = self._api.create_networking_config(
            {RAW_NETWORK: EndpointConfig(self._api.api_version, ipv4_address=self._address)}  # type: ignore[arg-type]
        )
        host = self._api.create_host_config(network_mode=RAW_NETWORK)
        made = self._api.create_container(tag, networking_config=settings, host_config=host)
        self._api.start(made["Id"])
        _wait_for_version((self._address, port), "raw", version)
        took = time.monotonic() - began
        self._api.remove_container(made["Id"], force=True, v=True)
        return took

    def close(self) -> None:
        self._api.remove_network(RAW_NETWORK)
        self._api.close()


def _packed(files: Files) -> io.BytesIO:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    packed.seek(0)
    return packed


def _wait_for_version(address: tuple[str, int], host: str, version: str) -> None:
    until = time.monotonic() + GIVE_UP_SECONDS
    while time.monotonic() < until:
        connection = http.client.HTTPConnection(*address, timeout=5)
        try:
            connection.request("GET", "/", headers={"Host": host})
            answer = connection.getresponse()
            if answer.status == 200 and answer.read().decode() == version:
                return
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()
        time.sleep(ASK_SECONDS)
    raise AssertionError(f"{version} was not answered within {GIVE_UP_SECONDS} s")


def _measure(
    panel: RunningPanel,
    raw: RawDocker,
    slug: str,
    site: Callable[[str], Files],
    port: int = 80,
) -> Pairs:
    """Deploy and build by hand in turns. The first deployment of the site is not counted."""
    panel.create_application(slug)
    pairs = Pairs()
    for number in range(PAIRS + 1):
        version = f"version {number}"
        files = site(version)
        panel.push(slug, files)
        tag = f"bench-raw-{slug}:{number}"
        if number == 0:
            _deploy(panel, slug, version, Pairs())
            continue
        acts = [
            partial(_deploy, panel, slug, version, pairs),
            partial(_build_and_run, raw, files, tag, port, version, pairs),
        ]
        for act in acts if number % 2 else reversed(acts):
            time.sleep(SETTLE_SECONDS)
            act()
    return pairs


def _deploy(panel: RunningPanel, slug: str, version: str, pairs: Pairs) -> None:
    began, clock = time.monotonic(), time.time()
    uuid = panel.request(slug)
    asked = time.monotonic() - began
    took = _serve(panel, slug, version, began)
    _note(pairs, panel.wait(uuid, 60), clock, asked, took)


def _serve(panel: RunningPanel, slug: str, version: str, began: float) -> float:
    address = ("127.0.0.1", panel.settings.sites_port)
    _wait_for_version(address, panel.host(slug), version)
    return time.monotonic() - began


def _note(pairs: Pairs, row: Deployment, clock: float, asked: float, took: float) -> None:
    """Seconds by step, up to the first answer: what comes after it is named so."""
    assert row.status == DeploymentStatus.SUCCEEDED, row.sentence
    pairs.ours.append(took)
    first = row.steps[0].started_at.timestamp()
    parts: dict[str, float] = {"(asking)": asked, "(until a worker begins)": first - clock - asked}
    answered = clock + took
    for step in row.steps:
        begun = step.started_at.timestamp()
        if begun < answered and step.ended_at:
            parts[step.name] = min(step.ended_at.timestamp(), answered) - begun
    parts["(between the steps)"] = took - sum(parts.values())
    for name, seconds in parts.items():
        pairs.steps.setdefault(name, []).append(seconds)


def _build_and_run(
    raw: RawDocker, files: Files, tag: str, port: int, version: str, pairs: Pairs
) -> None:
    built = raw.build(files, tag)
    ran = raw.run(tag, port, version)
    pairs.raw.append(built + ran)
    for name, seconds in {"build": built, "create, start, first 200": ran}.items():
        pairs.raw_steps.setdefault(name, []).append(seconds)


def _measure_roll_back(panel: RunningPanel, raw: RawDocker) -> Pairs:
    """To and fro between the last two releases of the static site, whose images both sides have."""
    slug, pairs = "static-site", Pairs()
    for number in range(PAIRS):
        back = PAIRS - 1 if number % 2 == 0 else PAIRS
        version = f"version {back}"
        acts = [
            partial(_roll_back, panel, slug, version, pairs),
            partial(_run_raw, raw, f"bench-raw-{slug}:{back}", version, pairs),
        ]
        for act in acts if number % 2 else reversed(acts):
            time.sleep(SETTLE_SECONDS)
            act()
    return pairs


def _run_raw(raw: RawDocker, tag: str, version: str, pairs: Pairs) -> None:
    took = raw.run(tag, 80, version)
    pairs.raw.append(took)
    pairs.raw_steps.setdefault("create, start, first 200", []).append(took)


def _roll_back(panel: RunningPanel, slug: str, version: str, pairs: Pairs) -> None:
    began, clock = time.monotonic(), time.time()
    uuid = request_older(panel, slug)
    asked = time.monotonic() - began
    took = _serve(panel, slug, version, began)
    _note(pairs, panel.wait(uuid, 60), clock, asked, took)


def request_older(panel: RunningPanel, slug: str) -> str:
    """Ask for the other of the two newest releases of Live; the deployment's uuid."""
    with panel.app.app_context(), unit_of_work():
        application = find_application(slug)
        assert application
        environment = find_environment(application.id, LIVE)
        assert environment
        owner = find_user(OWNER)
        assert owner
        current = find_current(environment.id)
        newest = sorted(list_releases(environment.id), key=lambda row: row.number)[-2:]
        other = next(row for row in newest if current and row.id != current.release_id)
        return request_roll_back(environment, other, owner).uuid


def _print(title: str, pairs: Pairs) -> None:
    ratios = [a / b for a, b in zip(pairs.ours, pairs.raw, strict=True)]
    rows = [
        ["ours", *summary(pairs.ours)],
        ["raw Docker", *summary(pairs.raw)],
        ["ours / raw, pair by pair", *summary(ratios)],
    ]
    print_table(f"{title}: seconds to the first 200 of the new version", ("", *SUMMARY), rows)
    _print_parts(f"{title}: where ours goes, step by step", pairs.steps)
    _print_parts(f"{title}: raw", pairs.raw_steps)


def _print_parts(title: str, parts: Mapping[str, list[float]]) -> None:
    rows = [[name, *summary(seconds)] for name, seconds in parts.items()]
    print_table(title, ("step", *SUMMARY), rows)
