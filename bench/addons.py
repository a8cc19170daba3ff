"""Addons: showing a form, saving one, ten saves at once; uploads; 500 packages as real ones are.

With 1, 50 and 500 addons in each site, over a real Redis, asker and sandbox; the pages run in this
process. Bars: a form ≤ 1.5 times an empty page; a save ≤ 6 times one bare sandbox, ten at once ≤ 3
times ten bare ones at once; both flat from 1 to 500 addons, which is taken to be ≤ 1.5 times, for
medians. Every well-made package loads. MOONBASE_BENCH_SHARE (1) below 1 makes all of
it shorter, with 1, 10 and 50 addons.
"""

from __future__ import annotations

import dataclasses
import io
import itertools
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from flask.testing import FlaskClient

from app.adapters.sandbox import Question, SandboxFailed, Topic
from app.adapters.sandbox.asking import ask
from app.adapters.sandbox.bubblewrap import BubblewrapSandbox
from app.addons.uploads import upload_version
from app.cli import create_app
from bench.many_addons import MEASURED, fill
from bench.results import Result, percentile, print_table
from tests.addons.archives import NAME, archive
from tests.addons.generated_packages import generate_packages
from tests.addons.registered import addon, register
from tests.contracts.asker_fixtures import Asking, running_redis
from tests.panel import ALICE, Panel, copy_panel, make_template, user_of
from tests.publishing.sample import hidden

SHARE = float(os.environ.get("MOONBASE_BENCH_SHARE", "1"))
SIZES = (1, 50, 500) if SHARE >= 1 else (1, 10, 50)
AT_ONCE = 10
ROUNDS = max(3, int(40 * SHARE))
CROWDS = max(2, int(10 * SHARE))
UPLOADS = max(3, int(40 * SHARE))
PACKAGES = max(50, int(500 * SHARE))
SITES = [f"site-{number}" for number in range(AT_ONCE)]
EMPTY = f"/applications/{SITES[0]}/deployments/"
"""The history of a site that was never deployed."""
BARE = Question(Topic.VALIDATE, "aldryn", "", {"settings": {}})
_titles = (f"Title {number}" for number in itertools.count())


@dataclass
class Measured:
    """Seconds on one panel."""

    empty: list[float] = field(default_factory=list)
    show: list[float] = field(default_factory=list)
    preview: list[float] = field(default_factory=list)
    save: list[float] = field(default_factory=list)
    crowd: list[float] = field(default_factory=list)


def run() -> list[Result]:
    """Fill three panels, measure in turns, print, and judge."""
    sandbox = BubblewrapSandbox()
    bare, crowds = Measured(), Measured()
    with ExitStack() as stack:
        asking = stack.enter_context(running_redis())
        asking.start()
        panels = stack.enter_context(filled_panels(asking))
        measured = {size: Measured() for size in panels}
        for _ in range(ROUNDS):
            bare.save.append(_timed(lambda: sandbox.ask(BARE)))
            for size, panel in panels.items():
                _look_and_save(panel, measured[size])
        for _ in range(CROWDS):
            crowds.crowd.append(_timed(lambda: _at_once(lambda _: sandbox.ask(BARE))))
            for size, panel in panels.items():
                _save_at_once(panel, measured[size])
        _print(measured, bare, crowds)
        results = _judge(measured, bare, crowds)
        _measure_uploads(panels[SIZES[0]])
        return [*results, _load_packages(asking)]


@contextmanager
def filled_panels(asking: Asking) -> Iterator[dict[int, Panel]]:
    """A panel for each of `SIZES`, by the number of addons in each of its sites."""
    with tempfile.TemporaryDirectory(prefix="moonbase-bench-") as folder:
        template = make_template(Path(folder) / "template")
        panels = {}
        for size in SIZES:
            began = time.monotonic()
            panel = copy_panel(template, Path(folder) / str(size))
            panel.adapters = dataclasses.replace(panel.adapters, job_queue=asking.queue())
            panel.app = create_app(panel.settings, panel.adapters)
            fill(panel, SITES, size)
            panels[size] = panel
            print(f"filled with {size} in {time.monotonic() - began:.1f} s", flush=True)
        try:
            yield panels
        finally:
            for panel in panels.values():
                panel.close()


def _timed(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def _at_once(act: Callable[[int], object]) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(act, range(AT_ONCE)))


def _look_and_save(panel: Panel, measured: Measured) -> None:
    client = panel.client_of(ALICE)
    measured.empty.append(_timed(lambda: _get(client, EMPTY)))
    measured.show.append(_timed(lambda: _get(client, _address(SITES[0]))))
    began = time.perf_counter()
    entered = _preview(client, SITES[0])
    measured.preview.append(time.perf_counter() - began)
    measured.save.append(_timed(lambda: _save(client, SITES[0], entered)))


def _save_at_once(panel: Panel, measured: Measured) -> None:
    """Ten people have seen what they would change; all press the button at once."""
    clients = [panel.client_of(ALICE) for _ in SITES]
    entered = [_preview(client, site) for client, site in zip(clients, SITES, strict=True)]
    act = lambda number: _save(clients[number], SITES[number], entered[number])  # noqa: E731
    measured.crowd.append(_timed(lambda: _at_once(act)))


def _address(site: str) -> str:
    return f"/applications/{site}/addons/{MEASURED}/"


def _get(client: FlaskClient, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, f"{address}: {answer.status_code}"
    return answer.text


def _preview(client: FlaskClient, site: str) -> dict[str, str]:
    """What saving it needs to be sent, after the preview was seen."""
    entered = {"setting-title": next(_titles), "setting-per_page": "5", "setting-tags": ""}
    entered["seen"] = hidden(_get(client, _address(site)), "seen")
    answer = client.post(_address(site), data=entered)
    assert answer.status_code == 200, answer.status_code
    return {**entered, "act": "save", "plan": hidden(answer.text, "plan")}


def _save(client: FlaskClient, site: str, entered: dict[str, str]) -> None:
    answer = client.post(_address(site), data=entered)
    assert answer.status_code == 303, f"{answer.status_code} {answer.text[:3000]}"


def _print(measured: dict[int, Measured], bare: Measured, crowds: Measured) -> None:
    rows = [["bare sandbox", "", *_numbers(bare.save)]]
    rows += [[f"{AT_ONCE} bare sandboxes at once", "", *_numbers(crowds.crowd)]]
    named = {
        "empty page": "empty",
        "form": "show",
        "form and preview": "preview",
        "save": "save",
        f"{AT_ONCE} saves at once": "crowd",
    }
    for name, attribute in named.items():
        for size, found in measured.items():
            rows.append([name, size, *_numbers(getattr(found, attribute))])
    print_table("Forms of addons, ms", ("what", "addons", "p50", "p95", "n"), rows)


def _numbers(seconds: list[float]) -> list[str]:
    numbers = (statistics.median(seconds), percentile(seconds, 0.95))
    return [*(f"{1000 * number:.1f}" for number in numbers), str(len(seconds))]


def _judge(measured: dict[int, Measured], bare: Measured, crowds: Measured) -> list[Result]:
    """The worst size decides."""
    median = statistics.median
    all_sizes, first, last = measured.values(), measured[SIZES[0]], measured[SIZES[-1]]
    shows = max(median(one.show) / median(one.empty) for one in all_sizes)
    saves = max(median(one.save) for one in all_sizes) / median(bare.save)
    crowd = max(median(one.crowd) for one in all_sizes) / median(crowds.crowd)
    return [
        Result("addons.form_to_empty_page", shows, 1.5),
        Result("addons.save_to_bare_sandbox", saves, 6),
        Result("addons.ten_saves_to_ten_bare_sandboxes", crowd, 3),
        Result("addons.form_growth", median(last.show) / median(first.show), 1.5),
        Result("addons.save_growth", median(last.save) / median(first.save), 1.5),
    ]


def _measure_uploads(panel: Panel) -> None:
    """One after the other, a new version each; every one is inspected and loaded in the sandbox."""
    register(panel)
    seconds = [_timed(partial(_upload, panel, archive(f"1.{number}"))) for number in range(UPLOADS)]
    rows = [["uploads", f"{60 / statistics.mean(seconds):.0f}", *_numbers(seconds)]]
    print_table("Uploads", ("what", "a minute", "p50 ms", "p95 ms", "n"), rows)


def _upload(panel: Panel, data: bytes) -> None:
    with panel.reading():
        upload_version(addon(NAME), io.BytesIO(data), user_of(ALICE))


def _load_packages(asking: Asking) -> Result:
    """How many of the made-up packages can be described; those broken by their author must not."""
    packages = generate_packages(PACKAGES)
    queue = asking.queue()

    def is_loaded(source: str) -> bool:
        try:
            ask(queue, Question(Topic.DESCRIBE, "aldryn", source))
        except SandboxFailed:
            return False
        return True

    began = time.perf_counter()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        loaded = list(pool.map(is_loaded, [package.source for package in packages]))
    seconds = time.perf_counter() - began
    wrong = sum(is_in != package.loads for is_in, package in zip(loaded, packages, strict=True))
    rows = [[len(packages), sum(loaded), len(packages) - sum(loaded), wrong, f"{seconds:.1f}"]]
    heads = ("packages", "load", "refused", "of them wrongly judged", "seconds")
    print_table("Packages in the shapes of the contract", heads, rows)
    return Result("addons.wrongly_judged_packages", wrong, 0)
