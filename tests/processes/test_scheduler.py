"""What the scheduler enqueues, and how often."""

from __future__ import annotations

from dataclasses import replace

from app.installation import EXTENSION, Installation
from app.platform_status.jobs import MEASURE_JOB
from app.processes.scheduler import RECONCILE_JOB, Recurring, enqueue_what_is_due
from tests.panel import QUICK, Panel


def rounds(panel: Panel, count: int, recurring: Recurring) -> list[str]:
    """The jobs of so many rounds, each done, and so forgotten by the queue, before the next."""
    here: Installation = panel.app.extensions[EXTENSION]
    times = replace(QUICK, reconcile=3600)
    panel.app.extensions[EXTENSION] = replace(here, settings=replace(here.settings, times=times))
    with panel.reading():
        for _ in range(count):
            enqueue_what_is_due(recurring)
            panel.queue.keys.clear()
    return [function for function, _ in panel.queue.jobs]


def test_what_recurs_is_enqueued_once_in_its_time(panel: Panel) -> None:
    jobs = rounds(panel, 5, Recurring())
    assert jobs.count(RECONCILE_JOB) == jobs.count(MEASURE_JOB) == 1


def test_a_scheduler_that_begins_anew_does_not_wait_for_the_next_stretch(panel: Panel) -> None:
    rounds(panel, 2, Recurring())
    assert rounds(panel, 2, Recurring()).count(RECONCILE_JOB) == 2
