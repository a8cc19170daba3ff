"""The container engine is restarted or killed under running sites, and runs out of disk."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.deployments.models import DeploymentStatus
from base_images.making import ensure
from tests.engine.private_engine import PrivateEngine, why_not_here
from tests.flows.conftest import make_dying_panel
from tests.flows.fault_records import Fault, record_fault, require_in_time
from tests.flows.leftovers import require_no_leftovers, take_snapshot
from tests.flows.paced_site import Pace, PacedSite
from tests.flows.processes import wait_for
from tests.flows.visitors import visiting

pytestmark = pytest.mark.skipif(why_not_here() is not None, reason=str(why_not_here()))

GROUP = "The container engine is restarted during a deployment"
DISK = "A disk is full"
BACK_LIMIT = 30.0
FINAL_LIMIT = 30.0
DISK_MEGABYTES = 96
FULL = "The disk of the machine was full."


class SmallEngine(PrivateEngine):
    """An engine whose data lies on a small disk of its own (a loop device)."""

    @property
    def disk(self) -> Path:
        return self._root / "data"

    def _configure(self) -> None:
        mount_small_disk(self._root / "disk.img", self.disk)
        super()._configure()

    def forget_containers(self) -> None:
        """From now on be one without live-restore, whose containers end with it."""
        self.live_restore = False
        super()._configure()
        self.restart()


@contextmanager
def _site_on(engine: PrivateEngine, folder: Path, cache: Path, slug: str) -> Iterator[PacedSite]:
    ensure(["static"], engine.client().api, cache)
    panel = make_dying_panel(folder, engine.socket, engine.pool)
    try:
        yield PacedSite(panel.start(), slug).create()
    finally:
        panel.stop()


Broken = tuple[PacedSite, SmallEngine]


@pytest.fixture(scope="module")
def lasting(package_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broken]:
    """A site on an engine with live-restore, as `make run` starts one."""
    folder = tmp_path_factory.mktemp("small")
    engine = SmallEngine(live_restore=True, in_memory=True)
    with engine, _site_on(engine, folder, package_cache, "small") as site:
        yield site, engine


@pytest.fixture(scope="module")
def small(lasting: Broken) -> Broken:
    """The same from now on without live-restore."""
    site, engine = lasting
    engine.forget_containers()
    wait_for(lambda: site.panel.get(site.slug).body == site.page, 60)
    return site, engine


@pytest.mark.parametrize("is_killed", [False, True], ids=["restarted", "killed"])
def test_an_engine_with_live_restore(lasting: Broken, is_killed: bool) -> None:
    site, engine = lasting
    panel, before = site.panel, take_snapshot(site.panel)
    with visiting(panel, site.slug) as visitors:
        site.push(Pace(build=2))
        uuid = panel.request(site.slug)
        wait_for(lambda: "Running in" in panel.log(uuid), 30)
        started = time.monotonic()
        engine.restart(kill=is_killed)
        done = panel.wait(uuid, 60)
        seconds = time.monotonic() - started
        assert done.status == DeploymentStatus.FAILED
        assert done.sentence
        site.require_page(site.page)
        site.deploy()
        require_no_leftovers(panel, before, seconds=15, has_built=True)
    visitors.require_no_loss()
    how = "killed (kill -9)" if is_killed else "restarted"
    outcome = "It fails with a sentence, the site serves on, the next one succeeds"
    fault = f"{how}, with live-restore"
    record_fault(Fault(GROUP, fault, outcome, visitors.sent, visitors.lost, seconds, FINAL_LIMIT))
    require_in_time(seconds, FINAL_LIMIT)


@pytest.mark.parametrize("is_killed", [False, True], ids=["restarted", "killed"])
def test_an_engine_without_live_restore(small: Broken, is_killed: bool) -> None:
    site, engine = small
    panel, before = site.panel, take_snapshot(site.panel)
    site.push(Pace(build=2))
    uuid = panel.request(site.slug)
    wait_for(lambda: "Running in" in panel.log(uuid), 30)
    with visiting(panel, site.slug) as visitors:
        started = time.monotonic()
        engine.restart(kill=is_killed)
        wait_for(lambda: panel.get(site.slug).body == site.page, 60)
        seconds = time.monotonic() - started
    assert panel.wait(uuid, 60).status == DeploymentStatus.FAILED
    site.deploy()
    require_no_leftovers(panel, before, seconds=15, has_built=True)
    how = "killed (kill -9)" if is_killed else "restarted"
    outcome = "Sites end with the engine and come back with it"
    fault = f"{how}, without live-restore"
    record_fault(Fault(GROUP, fault, outcome, visitors.sent, visitors.lost, seconds, BACK_LIMIT))
    require_in_time(seconds, BACK_LIMIT)


@pytest.mark.parametrize("where", ["a build step writes", "the image is stored"])
def test_the_disk_of_the_engine_full(small: Broken, where: str) -> None:
    site, engine = small
    panel, before = site.panel, take_snapshot(site.panel)
    page, ballast = site.push(), engine.disk / "ballast"
    with visiting(panel, site.slug) as visitors:
        if where == "a build step writes":
            write = f"RUN dd if=/dev/zero of=/big bs=1M count={2 * DISK_MEGABYTES}"
            dockerfile = f"FROM moonbase/static:1\n{write}\nCOPY . /\n"
            panel.push(site.slug, {"Dockerfile": dockerfile})
        else:
            panel.push(site.slug, {"site/large.bin": os.urandom(8 * 1024**2)})
            _fill(ballast, keep_free=4 * 1024**2)
        done = panel.deploy(site.slug)
        assert done.status == DeploymentStatus.FAILED
        assert done.sentence == FULL, panel.log(done.uuid)
        site.require_page(site.page)
        ballast.unlink(missing_ok=True)
        panel.push(site.slug, {"site/large.bin": b"small", "Dockerfile": site.dockerfile})
        done = panel.deploy(site.slug)
        assert done.status == DeploymentStatus.SUCCEEDED, panel.log(done.uuid)
        site.page = page
        site.require_page(page)
    visitors.require_no_loss()
    require_no_leftovers(panel, before, has_built=True)
    outcome = f"It fails: “{FULL}” With room made the next one succeeds"
    record_fault(Fault(DISK, f"engine, while {where}", outcome, visitors.sent, visitors.lost))


def test_the_disk_of_the_panel_full(fault_site: PacedSite, tmp_path: Path) -> None:
    """Its `tmp`, where the files of a commit are put together for the build."""
    panel, site = fault_site.panel, fault_site
    before, folder = take_snapshot(panel), panel.settings.data_dir / "tmp"
    mount_small_disk(tmp_path / "disk.img", folder, megabytes=8)
    try:
        with visiting(panel, site.slug) as visitors:
            page = site.push()
            panel.push(site.slug, {"site/large.bin": os.urandom(12 * 1024**2)})
            done = panel.deploy(site.slug)
            assert done.status == DeploymentStatus.FAILED
            assert done.sentence == FULL, panel.log(done.uuid)
            assert not list(folder.glob("context-*"))
            panel.push(site.slug, {"site/large.bin": b"small"})
            done = panel.deploy(site.slug)
            assert done.status == DeploymentStatus.SUCCEEDED, panel.log(done.uuid)
            site.page = page
            site.require_page(page)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
    visitors.require_no_loss()
    require_no_leftovers(panel, before, has_built=True)
    outcome = f"It fails: “{FULL}” With room made the next one succeeds"
    record_fault(Fault(DISK, "panel, while checking out", outcome, visitors.sent, visitors.lost))


def mount_small_disk(image: Path, target: Path, megabytes: int = DISK_MEGABYTES) -> None:
    """A new ext4 file system in a file, mounted at `target`; unmounting frees its loop device."""
    with image.open("wb") as file:
        file.truncate(megabytes * 1024**2)
    target.mkdir(exist_ok=True)
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", str(image)], check=True)
    subprocess.run(["mount", "-o", "loop", str(image), str(target)], check=True)
    lost = target / "lost+found"
    if lost.exists():
        lost.rmdir()


def _fill(path: Path, keep_free: int) -> None:
    """Write zeros to `path` until only `keep_free` bytes are left on its disk."""
    disk = os.statvfs(path.parent)
    with path.open("wb") as file:
        for _ in range((disk.f_bavail * disk.f_frsize - keep_free) // 1024**2):
            file.write(bytes(1024**2))
        file.flush()
        os.fsync(file.fileno())
