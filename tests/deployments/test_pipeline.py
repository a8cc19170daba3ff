"""The pipeline: a story with a good end, and each way it can break off without harm."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from app.adapters.engine.fake import ScriptedRun
from app.adapters.image_builder import BuildFailed
from app.deployments.pipeline import DEPLOY, runner
from app.deployments.queries import expected_seconds, find_current
from app.errors import Unavailable
from app.extensions import db
from app.repositories.queries import find_tracked_branch
from app.routes.operations import report_loaded
from app.routes.queries import find_node_by_token, load_feed
from app.runtime.operations import add_release_command
from app.signals import step_started
from app.variables.models import Variable
from app.variables.operations import set_variable
from tests.deployments import site
from tests.panel import (
    ALICE,
    NODE_TOKEN,
    SITE_PORT,
    Panel,
    application,
    environment,
    user_of,
)

GONE = Unavailable("Docker does not answer.")


def test_a_first_deployment(panel: Panel) -> None:
    sha = site.commit(panel)
    row = site.deploy(panel)
    assert (row.status, row.sentence, row.previous_commit) == ("succeeded", "", None)
    assert site.steps_of(row) == {step.name: "succeeded" for step in DEPLOY}
    assert row.receipt is None  # there was nobody to switch away from
    rows, running = site.containers(panel)
    assert len(rows) == 1 and rows == running
    assert len(site.visit(panel)) == 1
    with panel.reading():
        current = find_current(environment().id)
        assert current and current.release.commit == sha and current.release.number == 1
        tracked = find_tracked_branch(environment().id)
        assert tracked and (tracked.deployed, tracked.waiting) == (sha, 0)
        assert set(expected_seconds(environment().id, row.kind)) == {step.name for step in DEPLOY}
    log = site.log_of(panel, row)
    for words in ("===== docker build =====", f"port {SITE_PORT}", "Deployment succeeded"):
        assert words in log


def test_a_second_deployment_replaces_the_first(panel: Panel) -> None:
    first = site.commit(panel)
    site.deploy(panel)
    old = site.visit(panel)
    site.commit(panel)
    row = site.deploy(panel)
    assert row.status == "succeeded" and row.previous_commit == first
    assert row.receipt and row.receipt.sent > 0
    assert site.visit(panel) != old
    rows, running = site.containers(panel)
    assert len(rows) == 1 and rows == running


def test_a_deployment_runs_once(panel: Panel) -> None:
    site.commit(panel)
    number = site.request(panel)
    site.run(panel, number)
    calls = len(panel.engine.calls)
    site.run(panel, number)
    with panel.reading():
        runner.run(999)
    assert len(panel.engine.calls) == calls


def failing_at(panel: Panel) -> dict[str, Callable[[], None]]:
    """How to let each step fail once."""

    def remove_dockerfile() -> None:
        site.commit(panel, None)

    def expose_nothing() -> None:
        site.commit(panel, "FROM base:1\n")

    def refuse_command() -> None:
        panel.engine.script(("migrate",), ScriptedRun(("no such table",), exit_code=3))
        with panel.work():
            add_release_command(application(), "Migrate", "migrate", user_of(ALICE))

    def node_that_lags() -> None:
        with panel.work():
            node = find_node_by_token(NODE_TOKEN)
            assert node
            report_loaded(node, 0, load_feed().epoch)

    return {
        "write_build_context": remove_dockerfile,
        "build_image": lambda: panel.builder.fail_next(BuildFailed("“RUN x” ended with code 1.")),
        "release": expose_nothing,
        "run_release_commands": refuse_command,
        "start_containers": lambda: panel.engine.fail_next("start_container", GONE),
        "wait_until_healthy": lambda: void(
            site.commit(panel, f"{site.DOCKERFILE}LABEL answer=503\n")
        ),
        "switch_traffic": node_that_lags,
    }


def void(value: object) -> None:
    """For a `Callable[[], None]` whose value does not matter."""


SENTENCES = {
    "write_build_context": "There is no Dockerfile",
    "build_image": "“RUN x” ended with code 1.",
    "release": "The image opens no port",
    "run_release_commands": "The release command “Migrate” failed with exit code 3.",
    "start_containers": "Docker does not answer.",
    "wait_until_healthy": "The site answered 503.",
    "switch_traffic": "The ingress node local did not load the new route",
}


@pytest.mark.parametrize("step", SENTENCES)
def test_a_step_that_fails_leaves_the_old_containers_serving(panel: Panel, step: str) -> None:
    site.commit(panel)
    before = site.deploy(panel)
    old, rows_before = site.visit(panel), site.containers(panel)
    site.commit(panel)
    failing_at(panel)[step]()
    row = site.deploy(panel)
    assert row.status == "failed" and row.ended_at is not None
    assert SENTENCES[step] in row.sentence and row.advice
    steps = site.steps_of(row)
    assert steps.popitem() == (step, "failed") and set(steps.values()) <= {"succeeded"}
    assert site.current_deployment(panel) == before.id
    assert site.visit(panel) == old
    assert site.containers(panel) == rows_before
    assert list((panel.settings.data_dir / "tmp").iterdir()) == []
    assert f"!!! {SENTENCES[step]}" in site.log_of(panel, row)
    with panel.reading():
        tracked = find_tracked_branch(environment().id)
        assert tracked and tracked.deployed == before.commit


@pytest.mark.parametrize("step", SENTENCES)
def test_a_first_deployment_that_fails_leaves_nothing_and_can_be_repeated(
    panel: Panel, step: str
) -> None:
    site.commit(panel)
    failing_at(panel)[step]()
    row = site.deploy(panel)
    assert row.status == "failed"
    assert site.containers(panel) == (set(), set())
    assert site.current_deployment(panel) is None and site.visit(panel) == set()
    with panel.work():
        db.session.execute(db.text("DELETE FROM release_commands"))
        db.session.execute(db.text("UPDATE ingress_nodes SET seen_at = NULL"))
    site.commit(panel)
    assert site.deploy(panel).status == "succeeded"
    assert len(site.visit(panel)) == 1


@pytest.mark.parametrize("method", ["stop_container", "remove_container"])
def test_old_containers_that_cannot_be_stopped_do_not_take_the_new_ones_down(
    panel: Panel, method: str
) -> None:
    """After the switch there is no way back: visitors are on the new containers."""
    site.commit(panel)
    site.deploy(panel)
    old = site.visit(panel)
    site.commit(panel)
    number = site.request(panel)

    def fail_at_retire(sender: object, deployment: str, step: str) -> None:
        if step == "retire":
            panel.engine.fail_next(method, GONE)

    with step_started.connected_to(fail_at_retire):
        row = site.run(panel, number)
    assert row.status == "succeeded" and "removed later" in row.sentence
    assert site.current_deployment(panel) == number
    assert len(site.visit(panel)) == 1 and site.visit(panel) != old


def test_something_that_broke_on_our_side_is_undone_too(panel: Panel) -> None:
    site.commit(panel)
    site.deploy(panel)
    old = site.visit(panel)
    site.commit(panel)
    panel.engine.fail_next("start_container", ZeroDivisionError())  # type: ignore[arg-type]
    row = site.deploy(panel)
    assert (row.status, site.visit(panel)) == ("failed", old)
    assert "Something broke on our side" in row.sentence


def test_an_undo_that_fails_does_not_stop_the_others(panel: Panel) -> None:
    site.commit(panel, f"{site.DOCKERFILE}LABEL answer=503\n")
    number = site.request(panel)

    def fail_undo(sender: object, deployment: str, step: str) -> None:
        if step == "wait_until_healthy":
            panel.engine.fail_next("list_containers", RuntimeError("bug"))  # type: ignore[arg-type]

    with step_started.connected_to(fail_undo):
        row = site.run(panel, number)
    assert row.status == "failed" and "answered 503" in row.sentence
    assert site.containers(panel)[0] == set()


def test_a_secret_that_cannot_be_decrypted_fails_the_deployment(panel: Panel) -> None:
    site.commit(panel)
    with panel.work():
        set_variable(environment(), "API_KEY", "opensesame", True, user_of(ALICE))
        db.session.flush()
        table = Variable.__table__
        db.session.execute(db.text(f"UPDATE {table} SET value = 'gAAAA-of-a-lost-key'"))
    row = site.deploy(panel)
    assert row.status == "failed" and "cannot be decrypted" in row.sentence
    with panel.work():
        db.session.execute(db.text("DELETE FROM variables"))
    site.commit(panel)
    assert site.deploy(panel).status == "succeeded"


def test_a_full_disk_is_no_fault_of_the_site(panel: Panel) -> None:
    site.commit(panel)
    panel.builder.fail_next(BuildFailed("write /var/lib: no space left on device"))
    row = site.deploy(panel)
    assert row.sentence == "The disk of the machine was full." and "operator" in row.advice
