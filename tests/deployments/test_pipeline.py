"""The pipeline: a story with a good end, and each way it can break off without harm."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from app.adapters.engine.fake import ScriptedRun
from app.adapters.image_builder import BuildFailed
from app.deployments.models import Build, Deployment, Release
from app.deployments.operations import request_cancel
from app.deployments.pipeline import DEPLOY, runner
from app.deployments.pipeline.release import choose_port
from app.deployments.queries import expected_seconds, find_current
from app.environments.operations import EnvironmentSettings, update_environment
from app.errors import Invalid, PanelError, Unavailable
from app.extensions import db
from app.repositories.queries import find_tracked_branch
from app.routes.operations import report_loaded
from app.routes.queries import find_node_by_token, find_route, load_feed
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
        "check_out": remove_dockerfile,
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
    "check_out": "There is no Dockerfile",
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


# Port and containers --------------------------------------------------------------------------


def test_the_variable_port_wins_over_expose(panel: Panel) -> None:
    site.commit(panel, "FROM base:1\nEXPOSE 9\n")
    with panel.work():
        set_variable(environment(), "PORT", str(SITE_PORT), False, user_of(ALICE))
    row = site.deploy(panel)
    assert row.status == "succeeded", row.sentence
    with panel.reading():
        route = find_route(environment().id)
        assert route and [port for _, port in route.endpoints()] == [SITE_PORT]


@pytest.mark.parametrize(
    ("wanted", "exposed", "port"),
    [
        (None, (80,), 80),
        (None, (8080, 80, 443), 80),
        (None, (9000, 8000), 8000),
        (3000, (80,), 3000),
        (3000, (), 3000),
    ],
)
def test_the_port_is_chosen(wanted: int | None, exposed: tuple[int, ...], port: int) -> None:
    assert choose_port(wanted, exposed) == port


def test_without_any_port_the_dockerfile_is_told_what_is_missing() -> None:
    with pytest.raises(Invalid, match="no EXPOSE line"):
        choose_port(None, ())


def test_live_runs_several_containers(panel: Panel) -> None:
    site.commit(panel)
    with panel.work():
        wanted = EnvironmentSettings("main", 3, is_deployed_on_push=False)
        update_environment(environment("live"), wanted, 4, user_of(ALICE))
    for _ in range(2):
        site.commit(panel)
        assert site.deploy(panel, "live").status == "succeeded"
        rows, running = site.containers(panel)
        assert len(rows) == 3 and rows == running
        with panel.reading():
            route = find_route(environment("live").id)
            assert route and len(set(route.endpoints())) == 3


def test_nothing_listens(panel: Panel) -> None:
    site.commit(panel, f"{site.DOCKERFILE}LABEL deaf=yes\n")
    row = site.deploy(panel)
    assert row.sentence == f"Nothing listened on port {SITE_PORT} for 1 s."
    assert "0.0.0.0" in row.advice


def test_a_container_that_ends_at_once_shows_its_last_words(panel: Panel) -> None:
    site.commit(panel)
    number = site.request(panel)

    def end_at_once(sender: object, deployment: str, step: str) -> None:
        if step == "start_containers":
            with panel.reading():
                release = db.session.scalars(db.select(Release)).one()
            panel.engine.exit_at_start(release.image, 1, "ModuleNotFoundError: django")

    with step_started.connected_to(end_at_once):
        row = site.run(panel, number)
    assert "stopped before it answered" in row.sentence and "requirements" in row.advice
    assert "ModuleNotFoundError: django" in site.log_of(panel, row)


# Images and releases --------------------------------------------------------------------------


def test_live_takes_the_image_that_test_built(panel: Panel) -> None:
    site.commit(panel)
    site.deploy(panel, "test")
    row = site.deploy(panel, "live")
    assert row.status == "succeeded" and len(panel.builder.requests) == 1
    assert site.visit(panel, "live") == site.visit(panel, "test")
    assert "exists already" in site.log_of(panel, row)
    site.deploy(panel, "test")
    assert len(panel.builder.requests) == 2  # Test always builds anew


def test_live_builds_when_the_image_is_gone(panel: Panel) -> None:
    site.commit(panel)
    site.deploy(panel, "test")
    with panel.reading():
        image = db.session.scalars(db.select(Build.image)).one()
    for name in site.containers(panel)[1]:
        panel.engine.remove_container(name)
    panel.engine.remove_image(image)
    assert site.deploy(panel, "live").status == "succeeded"
    assert len(panel.builder.requests) == 2


def test_a_build_gets_no_variables_and_joins_its_own_network(panel: Panel) -> None:
    site.commit(panel)
    site.deploy(panel)
    request = panel.builder.requests[0]
    assert request.network.startswith("moonbase-build-")
    assert not hasattr(request, "environment")
    assert {"Dockerfile", "public/index.html"} <= set(panel.builder.files)


def test_a_release_is_fixed_for_good(panel: Panel) -> None:
    site.commit(panel)
    with panel.work():
        set_variable(environment(), "COLOUR", "blue", False, user_of(ALICE))
    site.deploy(panel)
    with panel.work():
        set_variable(environment(), "COLOUR", "red", False, user_of(ALICE))
    with panel.reading():
        release = db.session.scalars(db.select(Release)).one()
        assert release.variables["COLOUR"] == "blue"
    [name] = site.containers(panel)[1]
    assert panel.engine.specs[name].environment["COLOUR"] == "blue"


# Release commands -----------------------------------------------------------------------------


def add_commands(panel: Panel, *commands: str) -> None:
    with panel.work():
        for command in commands:
            add_release_command(application(), command.title(), command, user_of(ALICE))


def commands_run(panel: Panel) -> list[object]:
    return [about for method, about in panel.engine.calls if method == "run_command"]


def test_release_commands_run_in_order_before_the_containers(panel: Panel) -> None:
    site.commit(panel)
    add_commands(panel, "sh -c 'echo one two'", "migrate")
    panel.engine.script(("migrate",), ScriptedRun(("all migrated",)))
    row = site.deploy(panel)
    assert commands_run(panel) == [("sh", "-c", "echo one two"), ("migrate",)]
    methods = [method for method, _ in panel.engine.calls]
    assert methods.index("run_command") < methods.index("start_container")
    assert "all migrated" in site.log_of(panel, row)


def test_the_first_failing_command_ends_it(panel: Panel) -> None:
    site.commit(panel)
    add_commands(panel, "one", "two", "three")
    panel.engine.script(("two",), ScriptedRun(exit_code=1))
    row = site.deploy(panel)
    assert commands_run(panel) == [("one",), ("two",)]
    assert row.sentence == "The release command “Two” failed with exit code 1."
    assert "start_container" not in {method for method, _ in panel.engine.calls}


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        (ScriptedRun(seconds=5), "ran longer than"),
        (ScriptedRun(exit_code=137, oom_killed=True), "used too much memory"),
    ],
)
def test_a_command_that_takes_too_much(panel: Panel, script: ScriptedRun, sentence: str) -> None:
    site.commit(panel)
    add_commands(panel, "one")
    panel.engine.script(("one",), script)
    assert sentence in site.deploy(panel).sentence


# Cancelling and secrets -----------------------------------------------------------------------


@pytest.mark.parametrize("step", ["build_image", "run_release_commands", "wait_until_healthy"])
def test_cancelling_undoes_what_was_begun(panel: Panel, step: str) -> None:
    site.commit(panel)
    site.deploy(panel)
    old, before = site.visit(panel), site.containers(panel)
    slow = {
        "build_image": f"{site.DOCKERFILE}RUN sleep 4\n",
        "wait_until_healthy": f"{site.DOCKERFILE}LABEL deaf=yes\n",
    }
    site.commit(panel, slow.get(step, site.DOCKERFILE))
    if step == "run_release_commands":
        add_commands(panel, "slow")
        panel.engine.script(("slow",), ScriptedRun(seconds=0.9))
    number = site.request(panel)
    threads: list[threading.Thread] = []

    def cancel() -> None:
        with panel.work():
            request_cancel(db.session.get_one(Deployment, number), user_of(ALICE))

    def cancel_soon(sender: object, deployment: str, step: str, wanted: str = step) -> None:
        if step == wanted:
            threads.append(threading.Thread(target=cancel))
            threads[0].start()

    with step_started.connected_to(cancel_soon):
        row = site.run(panel, number)
    threads[0].join()
    assert (row.status, site.steps_of(row)[step]) == ("cancelled", "cancelled")
    assert site.visit(panel) == old and site.containers(panel) == before


def test_a_cancel_after_the_switch_comes_too_late(panel: Panel) -> None:
    site.commit(panel)
    number = site.request(panel)

    def cancel(sender: object, deployment: str, step: str) -> None:
        if step == "retire":
            with panel.work():
                request_cancel(db.session.get_one(Deployment, number), user_of(ALICE))

    with step_started.connected_to(cancel):
        assert site.run(panel, number).status == "succeeded"


def test_secrets_are_masked_in_the_log(panel: Panel) -> None:
    site.commit(panel, f"{site.DOCKERFILE}RUN echo opensesame-4711\n")
    with panel.work():
        set_variable(environment(), "API_KEY", "opensesame-4711", True, user_of(ALICE))
        set_variable(environment(), "COLOUR", "ultramarine", False, user_of(ALICE))
    add_commands(panel, "show")
    panel.engine.script(("show",), ScriptedRun(("key=opensesame-4711", "colour=ultramarine")))
    log = site.log_of(panel, site.deploy(panel))
    assert "opensesame" not in log and "key=••••••••" in log and "colour=ultramarine" in log


def test_a_waiting_deployment_is_enqueued_when_the_running_one_ends(panel: Panel) -> None:
    site.commit(panel)
    first = site.request(panel)
    waiting: list[int] = []

    def ask_again(sender: object, deployment: str, step: str) -> None:
        if step == "build_image":
            threading.Thread(target=lambda: waiting.append(again())).start()

    def again() -> int:
        site.commit(panel)
        return site.request(panel)

    with step_started.connected_to(ask_again):
        assert site.run(panel, first).status == "succeeded"
    while not waiting:
        continue
    assert ("app.deployments.jobs.run", (waiting[0],)) in panel.queue.jobs
    assert site.run(panel, waiting[0]).status == "succeeded"


def test_errors_of_the_pipeline_carry_sentences() -> None:
    assert issubclass(Unavailable, PanelError) and GONE.sentence
