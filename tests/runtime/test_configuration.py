"""What the next deployment runs with: custom over automatic, the plan's limits, commands."""

from __future__ import annotations

import pytest

from app.environments.operations import EnvironmentSettings, update_environment
from app.errors import Invalid
from app.plans.queries import load_plan
from app.runtime.operations import add_release_command, remove_release_command
from app.runtime.queries import Configuration, list_release_commands, resolve_configuration
from app.variables.operations import set_variable
from tests.panel import ALICE, Panel, application, environment, user_of


def resolve(panel: Panel, slug: str = "test") -> Configuration:
    with panel.reading():
        return resolve_configuration(environment(slug))


def set_(panel: Panel, name: str, value: str, is_secret: bool = False) -> None:
    with panel.work():
        set_variable(environment(), name, value, is_secret, user_of(ALICE))


def test_the_platform_sets_the_documented_variables(panel: Panel) -> None:
    variables = dict(resolve(panel).variables)
    assert len(variables.pop("SECRET_KEY")) >= 50
    assert variables == {
        "STAGE": "test",
        "DOMAIN": "demo-stage.localhost",
        "DOMAIN_ALIASES": "",
        "DOMAIN_REDIRECTS": "",
        "GIT_BRANCH": "main",
        "SITE_NAME": "Demo",
        "DEBUG": "True",
    }


def test_debug_is_off_on_live_and_each_environment_has_its_own_key(panel: Panel) -> None:
    test, live = resolve(panel, "test"), resolve(panel, "live")
    assert live.variables["DEBUG"] == "False"
    assert live.variables["DOMAIN"] == "demo.localhost"
    assert test.variables["SECRET_KEY"] != live.variables["SECRET_KEY"]


def test_own_variables_win(panel: Panel) -> None:
    set_(panel, "DEBUG", "maybe")
    set_(panel, "COLOUR", " blue ")
    found = resolve(panel)
    assert (found.variables["DEBUG"], found.variables["COLOUR"]) == ("maybe", " blue ")
    assert resolve(panel, "live").variables["DEBUG"] == "False"


def test_values_to_mask_are_the_secret_ones(panel: Panel) -> None:
    set_(panel, "API_KEY", "opensesame", is_secret=True)
    set_(panel, "COLOUR", "ultramarine")
    found = resolve(panel)
    assert set(found.secrets) == {found.variables["SECRET_KEY"], "opensesame"}


@pytest.mark.parametrize(("text", "port"), [("8000", 8000), (" 8000 ", 8000)])
def test_port_is_what_the_person_set(panel: Panel, text: str, port: int) -> None:
    assert resolve(panel).port is None
    set_(panel, "PORT", text)
    assert resolve(panel).port == port


def test_limits_are_the_plans(panel: Panel) -> None:
    with panel.work():
        plan = load_plan(application().id)
        plan.memory_mb, plan.cpus, plan.pids = 100, 0.5, 64
    limits = resolve(panel).limits
    assert (limits.memory_bytes, limits.cpus, limits.pids) == (200 * 1024**2, 0.5, 64)


def test_a_smaller_plan_counts_although_the_form_says_more(panel: Panel) -> None:
    with panel.work():
        wanted = EnvironmentSettings("main", 4, is_deployed_on_push=False)
        update_environment(environment("live"), wanted, 4, user_of(ALICE))
        load_plan(application().id).live_containers = 2
    assert resolve(panel, "live").containers == 2


def test_release_commands_run_in_the_order_of_adding(panel: Panel) -> None:
    with panel.work():
        for label in ("one", "two", "three"):
            add_release_command(application(), label, f" run {label} ", user_of(ALICE))
        remove_release_command(
            application(), list_release_commands(application().id)[1], user_of(ALICE)
        )
    assert resolve(panel).release_commands == (("one", "run one"), ("three", "run three"))


@pytest.mark.parametrize("command", ["", "  ", "echo 'open", "x" * 1001, "a\0b", '"'])
def test_commands_that_cannot_be_run_are_refused(panel: Panel, command: str) -> None:
    with pytest.raises(Invalid) as refused, panel.work():
        add_release_command(application(), "label", command, user_of(ALICE))
    assert refused.value.field == "command"


def test_a_command_of_another_application_is_not_there(panel: Panel) -> None:
    with panel.work():
        add_release_command(application("other"), "theirs", "run", user_of(ALICE))
    path = "/applications/demo/settings/release-commands/1/remove/"
    assert panel.client_of(ALICE).post(path).status_code == 404
    with panel.reading():
        assert len(list_release_commands(application("other").id)) == 1
