"""Switches under a steady load: no request may be lost, and the receipts must say the same.

Three sites at once: `steady` gets 200 requests a second in four kinds (GET and POST of 2 kB, each
on kept and on new connections) and is switched 20 times; `stubborn` ignores SIGTERM; `slow` answers
after five seconds. Held connections on `steady` may be ended by the site when its container goes,
in good order, and must open again at once; those on `still`, which is not switched, may not end.
A flat-out run is reported and not judged.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from app.deployments.models import DeploymentStatus
from bench.held import HeldConnections
from bench.installation import running_installation
from bench.results import Result, percentile, print_table
from bench.sites import answering_site
from tests.flows.running_panel import RunningPanel
from tests.load import Load, LoadGenerator

SWITCHES = {"steady": 20, "stubborn": 4, "slow": 4}
RATE = 200.0
REQUESTS = 20_000
HELD = 5
BODY = b"x" * 2048
FLAT_OUT_SECONDS = 15


@dataclass
class Switch:
    """One switch as its deployment tells it, and what the generator lost meanwhile."""

    site: str
    seconds: float
    sent: int
    failed: int
    longest_gap_ms: float
    lost_by_generator: int

    @property
    def agrees(self) -> bool:
        """Whether the receipt and the generator say the same of this switch."""
        return (self.failed == 0) == (self.lost_by_generator == 0)


@dataclass
class Run:
    """What the whole run gave."""

    generators: dict[str, list[LoadGenerator]] = field(default_factory=dict)
    held: dict[str, HeldConnections] = field(default_factory=dict)
    switches: list[Switch] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)

    def lost(self, site: str) -> int:
        return sum(generator.outcome.failed for generator in self.generators[site])


def run() -> list[Result]:
    """Switch under load, print, judge."""
    with running_installation(["python"]) as (panel, _engine):
        for site in (*SWITCHES, "still"):
            panel.create_application(site)
            _deploy(panel, site, "version 0")
        done = _run_fixed(panel)
        flat_out = _run_flat_out(panel)
    _print(done)
    print(f"Flat out (reported, not judged): {flat_out}\n")
    return _judge(done)


def _deploy(panel: RunningPanel, site: str, version: str) -> str:
    panel.push(site, answering_site(version, ignores_term=site == "stubborn"))
    row = panel.deploy(site, seconds=120)
    assert row.status == DeploymentStatus.SUCCEEDED, panel.log(row.uuid)
    return row.uuid


def _loads(panel: RunningPanel) -> dict[str, list[Load]]:
    """The fixed load: 200 requests a second on `steady`, a little on the other two."""
    address = ("127.0.0.1", panel.settings.sites_port)
    host = {site: panel.host(site) for site in SWITCHES}
    steady = [
        Load(address, host["steady"], rate=RATE / 4, keep_alive=kept, method=method, body=body)
        for kept in (True, False)
        for method, body in (("GET", b""), ("POST", BODY))
    ]
    return {
        "steady": steady,
        "stubborn": [Load(address, host["stubborn"], rate=20)],
        "slow": [Load(address, host["slow"], path="/slow", rate=4, timeout=20)],
    }


def _run_fixed(panel: RunningPanel) -> Run:
    """Each site is switched by a thread of its own until all have had theirs."""
    done = Run()
    address = ("127.0.0.1", panel.settings.sites_port)
    with ExitStack() as stack:
        for site, loads in _loads(panel).items():
            generators = [stack.enter_context(LoadGenerator(load)) for load in loads]
            done.generators[site] = generators
        for site in ("steady", "still"):
            for path in ("/events", "/socket"):
                held = HeldConnections(address, panel.host(site), path, HELD)
                done.held[f"{site} {path}"] = stack.enter_context(held)
        threads = [
            threading.Thread(target=_switch_often, args=(panel, done, site)) for site in SWITCHES
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        while sum(one.outcome.sent for one in done.generators["steady"]) < REQUESTS:
            time.sleep(0.1)
    if done.errors:
        raise done.errors[0]
    return done


def _switch_often(panel: RunningPanel, done: Run, site: str) -> None:
    try:
        for number in range(1, SWITCHES[site] + 1):
            done.switches.append(_switch(panel, done, site, f"version {number}"))
    except BaseException as error:  # noqa: BLE001 -- handed on to the thread that waits
        done.errors.append(error)


def _switch(panel: RunningPanel, done: Run, site: str, version: str) -> Switch:
    panel.push(site, answering_site(version, ignores_term=site == "stubborn"))
    lost, began = done.lost(site), time.monotonic()
    row = panel.deploy(site, seconds=120)
    assert row.status == DeploymentStatus.SUCCEEDED, panel.log(row.uuid)
    assert row.receipt, f"no receipt of {row.uuid}"
    return Switch(
        site=site,
        seconds=time.monotonic() - began,
        sent=row.receipt.sent,
        failed=row.receipt.failed,
        longest_gap_ms=row.receipt.longest_gap_ms,
        lost_by_generator=done.lost(site) - lost,
    )


def _run_flat_out(panel: RunningPanel) -> str:
    """As many requests as the machine can, over two switches; what `wrk` says of it."""
    if not shutil.which("wrk"):
        return "wrk is not installed"
    address = f"http://127.0.0.1:{panel.settings.sites_port}/"
    command = ["wrk", "-t1", "-c50", f"-d{FLAT_OUT_SECONDS}s"]
    command += ["-H", f"Host: {panel.host('steady')}", address]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for number in (100, 101):
            _deploy(panel, "steady", f"version {number}")
        said, _ = process.communicate()
    lines = re.findall(r"(Requests/sec.*|Socket errors.*|Non-2xx.*|\d+ requests in.*)", said)
    return ", ".join(" ".join(line.split()) for line in lines)


def _print(done: Run) -> None:
    rows: list[Sequence[object]] = []
    for site, generators in done.generators.items():
        for one in generators:
            load, outcome = one.load, one.outcome
            kind = f"{load.method} {'kept' if load.keep_alive else 'new'} connections"
            rows.append(
                [
                    f"{site}: {kind}",
                    f"{load.rate:g}/s",
                    outcome.sent,
                    outcome.failed,
                    *(f"{1000 * outcome.percentile(share):.0f}" for share in (0.5, 0.95, 1)),
                    f"{1000 * outcome.longest_gap:.0f}",
                    dict(outcome.failures) or "",
                ]
            )
    headings: Sequence[str] = (
        "load",
        "rate",
        "sent",
        "failed",
        "p50 ms",
        "p95",
        "max",
        "longest gap",
        "",
    )
    print_table("Requests at a fixed rate while sites are switched", headings, rows)
    _print_switches(done)
    rows = []
    for name, held in done.held.items():
        out = held.outcome
        rows.append([name, out.opened, out.heard, out.ended, out.failed, dict(out.failures) or ""])
    headings = ("held connections", "opened", "messages", "ended in order", "failed", "")
    print_table(f"{HELD} connections each, held open", headings, rows)


def _print_switches(done: Run) -> None:
    rows = []
    for site in SWITCHES:
        found = [switch for switch in done.switches if switch.site == site]
        rows.append(
            [
                site,
                len(found),
                f"{percentile([switch.seconds for switch in found], 0.5):.1f}",
                sum(switch.sent for switch in found),
                sum(switch.failed for switch in found),
                f"{max(switch.longest_gap_ms for switch in found):.0f}",
                sum(switch.lost_by_generator for switch in found),
                sum(not switch.agrees for switch in found),
            ]
        )
    headings: Sequence[str] = (
        "switches of",
        "n",
        "median s",
        "receipts: sent",
        "lost",
        "longest gap ms",
        "generator: lost",
        "disagree",
    )
    print_table("Switches, by their receipts and by the generator", headings, rows)


def _judge(done: Run) -> list[Result]:
    lost = sum(done.lost(site) for site in done.generators)
    torn = sum(held.outcome.failed for held in done.held.values())
    ended = sum(done.held[f"still {path}"].outcome.ended for path in ("/events", "/socket"))
    sent = sum(one.outcome.sent for one in done.generators["steady"])
    return [
        Result("zero_downtime.failed", lost, 0),
        Result("zero_downtime.held_torn", torn + ended, 0),
        Result("zero_downtime.receipts_that_disagree", _disagreeing(done), 0),
        Result("zero_downtime.switches_missing", max(0, 20 - len(done.switches)), 0),
        Result("zero_downtime.requests_missing", max(0, REQUESTS - sent), 0),
    ]


def _disagreeing(done: Run) -> int:
    return sum(not switch.agrees for switch in done.switches)
