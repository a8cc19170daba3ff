"""What our own Python processes hold after 100 page views and some idle minutes.

PSS: what processes share is counted once, divided among them. MOONBASE_BENCH_IDLE_MINUTES (5).
"""

from __future__ import annotations

import http.cookiejar
import os
import re
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from app.deployments.models import DeploymentStatus
from bench.installation import running_installation
from bench.results import Result, print_table
from tests.flows.running_panel import OWNER, PASSWORD, RunningPanel

VIEWS = 100
IDLE_MINUTES = float(os.environ.get("MOONBASE_BENCH_IDLE_MINUTES", "5"))
NAMES = (
    ("app.processes.family", "family: the parent"),
    ("app.processes.worker", "workers"),
    ("app.processes.web", "web: master and workers"),
    ("worker.py", "workers"),
    ("app.processes.asker", "asker"),
    ("app.processes.scheduler", "scheduler"),
    ("app.processes.observer", "observer"),
    ("app.processes.cron", "cron"),
    ("app.processes.ssh", "ssh"),
    ("app.processes.ingress_agent", "ingress agent"),
    ("supervisord", "supervisors"),
)
BAR_MB = 500
FAMILY = "family: the parent"


def run() -> list[Result]:
    """Deploy once, look at pages, idle, add up."""
    with running_installation(["static"]) as (panel, _engine):
        panel.create_application("demo")
        panel.push_page("demo", "one")
        done = panel.deploy("demo")
        assert done.status == DeploymentStatus.SUCCEEDED, panel.log(done.uuid)
        _view_pages(panel, done.uuid)
        time.sleep(60 * IDLE_MINUTES)
        processes = list(_own_processes(panel))
    rows = []
    for name in dict.fromkeys(title for _, title in NAMES):
        sizes = [size for found, size in processes if found == name]
        rows.append([name, len(sizes), f"{sum(sizes):.1f}"])
    total = sum(size for _, size in processes)
    rows.append(["all", len(processes), f"{total:.1f}"])
    title = f"PSS in MB after {VIEWS} page views and {IDLE_MINUTES:g} idle minutes"
    print_table(title, ("processes", "n", "MB"), rows)
    return [Result("memory.pss_mb", total, BAR_MB)]


def _view_pages(panel: RunningPanel, uuid: str) -> None:
    """A hundred pages by HTTP as a person who is signed in."""
    browser = urllib.request.build_opener(
        urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
    )
    address = f"{panel.url}/account/sign-in/"
    form = browser.open(address).read().decode()
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', form)
    assert token, "the sign-in page has no CSRF token"
    words = {"email": OWNER, "password": PASSWORD, "csrf_token": token[1]}
    browser.open(address, urllib.parse.urlencode(words).encode()).read()
    pages = ("", "demo/", f"demo/deployments/{uuid}/", "demo/deployments/", "demo/environments/")
    for number in range(VIEWS):
        page = f"/applications/{pages[number % len(pages)]}"
        with browser.open(panel.url + page) as answer:
            assert answer.status == 200 and answer.url.endswith(page), answer.url


def _own_processes(panel: RunningPanel) -> Iterator[tuple[str, float]]:
    """Each Python process of this installation: what the table calls it, and its PSS in MB."""
    mark = f"DATA_DIR={panel.settings.data_dir}".encode()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if int(entry.name) == os.getpid() or mark not in (entry / "environ").read_bytes():
                continue
            words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            name = next((title for part, title in NAMES if part in words), None)
            if name == FAMILY:  # its children share its command line
                called = (entry / "comm").read_text().strip()
                name = next((title for part, title in NAMES if part.endswith(called)), name)
            rollup = (entry / "smaps_rollup").read_text()
        except OSError:
            continue
        pss = re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)
        if name and pss:
            yield name, int(pss[1]) / 1024
