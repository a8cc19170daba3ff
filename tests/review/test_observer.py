"""The observer: no line without its mask, and no thread that ends unnoticed."""

from __future__ import annotations

import datetime
import threading
import time
from collections.abc import Callable
from pathlib import Path

from app.adapters.engine import LogLine
from app.deployments.models import Container
from app.deployments.runtime_writer import RuntimeWriter, masked_values_of
from app.extensions import db
from app.logs.masking import LineMasker
from app.logs.queries import log_store
from app.logs.store import CHUNK_BYTES, ChunkedLog
from app.processes import observer as module
from app.processes.observer import Observer
from tests.deployments import site
from tests.panel import Panel, environment


def wait_until(is_true: Callable[[], bool], seconds: float = 20) -> None:
    until = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_container_without_a_row_is_not_written_unmasked(panel: Panel) -> None:
    site.commit(panel)
    site.deploy(panel)
    (name,) = site.containers(panel)[0]
    panel.engine.write(name, "a secret nobody could mask")
    with panel.work():
        db.session.execute(db.delete(Container))
    with panel.reading():
        assert masked_values_of(name) is None
        log = log_store().runtime(environment().uuid)
    observer = Observer(panel.app)
    observer.look()
    for thread in observer._followed.values():
        thread.join(20)
        assert not thread.is_alive()
    assert log.read_all() == ""


def test_threads_of_one_environment_share_a_writer(panel: Panel) -> None:
    observer = Observer(panel.app)
    start = threading.Barrier(8)
    found: list[RuntimeWriter] = []

    def ask() -> None:
        start.wait()
        found.append(observer._writer("3f2a"))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8 and len(set(map(id, found))) == 1


class FullDisk(RuntimeWriter):
    """Refuses the first writes."""

    refusals = 2

    def write(self, container: str, lines: list[LogLine], masker: LineMasker) -> None:
        if lines and self.refusals:
            self.refusals -= 1
            raise OSError(28, "No space left on device")
        super().write(container, lines, masker)


def test_a_full_disk_loses_no_line_and_no_thread(tmp_path: Path) -> None:
    log = ChunkedLog(tmp_path / "log", 0, CHUNK_BYTES)
    batch = module._Batch(FullDisk(log), "moonbase-1-web-1", LineMasker([], 100), pause=0.05)
    batch.add(LogLine(datetime.datetime.now(datetime.UTC), "stdout", "still here"))
    wait_until(lambda: "still here" in log.read_all())
    batch.close()
    assert log.read_all().count("still here") == 1


def test_a_chunk_cut_while_it_is_read_is_passed_over(tmp_path: Path) -> None:
    class Listed(ChunkedLog):
        """Reads from a list of chunks of which the writer has cut the first since."""

        def _chunks(self) -> list[Path]:
            return [self.directory / f"{0:015d}.chunk", *super()._chunks()]

    log = ChunkedLog(tmp_path / "log", 0, 2 * CHUNK_BYTES)
    for letter in "abc":
        log.append(letter * CHUNK_BYTES)
    assert not (log.directory / f"{0:015d}.chunk").exists()
    text = Listed(log.directory, 0, 2 * CHUNK_BYTES).read(0).text
    assert text == f"… {CHUNK_BYTES} bytes were cut here …\n"
