"""What a deployment is made of: port, containers, image, release, commands, and its secrets."""

from __future__ import annotations

import threading

import pytest

from app.adapters.engine.fake import ScriptedRun
from app.deployments.models import Build, Deployment, Release
from app.deployments.operations import request_cancel
from app.deployments.pipeline.release import choose_port
from app.environments.operations import EnvironmentSettings, update_environment
from app.errors import Invalid
from app.extensions import db
from app.routes.queries import find_route
from app.runtime.operations import add_release_command
from app.signals import step_started
from app.variables.operations import set_variable
from tests.deployments import site
from tests.panel import (
    ALICE,
    SITE_PORT,
    Panel,
    application,
    environment,
    user_of,
)

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
