"""kill -9 of the asker in the middle of a question: it is over with a sentence, the next one works.

Whoever asks is told once its time is up; here that is short.
"""

from __future__ import annotations

import threading
import time

import pytest

from app.adapters.sandbox import Question, Topic
from app.adapters.sandbox.asking import ask
from app.errors import Unavailable
from tests.contracts.asker_fixtures import FORM, HANGING, is_alive, sandboxes_of
from tests.flows.fault_records import Fault, record_fault, require_in_time
from tests.flows.processes import wait_for
from tests.flows.running_panel import RunningPanel

GROUP = "A process of the panel is killed (kill -9) while it is needed"
LIMIT = 8.0


def test_the_asker_killed_in_the_middle_of_a_question(panel: RunningPanel) -> None:
    queue = panel.app.extensions["moonbase"].adapters.job_queue
    said: list[str] = []

    def hang() -> None:
        with pytest.raises(Unavailable) as refused:
            ask(queue, Question(Topic.DESCRIBE, "aldryn", HANGING), timeout=3)
        said.append(refused.value.sentence)

    wait_for(lambda: panel.pids("asker"), 20, "no asker runs")
    ask(queue, Question(Topic.DESCRIBE, "aldryn", FORM))
    (asker,) = panel.pids("asker")
    asking = threading.Thread(target=hang, daemon=True)
    asking.start()
    wait_for(lambda: len(sandboxes_of(asker)) >= 2, 5, "the question did not begin")
    running = sandboxes_of(asker)
    assert panel.kill("asker") == [asker]
    began = time.monotonic()
    wait_for(lambda: not any(is_alive(pid) for pid in running), 2, "a sandbox was left")
    answer = ask(queue, Question(Topic.DESCRIBE, "aldryn", FORM))
    seconds = time.monotonic() - began
    assert [field["name"] for field in answer["fields"]] == ["title", "count"]
    assert asker not in panel.pids("asker")
    asking.join(5)
    assert said == ["Addons could not be asked within 3 s. Try again in a moment."]
    outcome = "Who asked is told, nothing of the sandbox is left, the next question is answered"
    record_fault(Fault(GROUP, "asker", outcome, 0, 0, seconds, LIMIT))
    require_in_time(seconds, LIMIT)
