"""Who may do what with the API: Alice owns, Bob may only look, Charlie is a stranger; and what a
token's scope and organisation leave of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from app.lifecycle.trash import trash_application
from app.permissions import Scope
from app.repositories.queries import load_repository
from tests.backups import data
from tests.client_api.asking import Program, Steps, download_body, program_of, restore_body
from tests.panel import (
    ALICE,
    BOB,
    CHARLIE,
    DORA,
    ERIN,
    EVE,
    Panel,
    application,
    environment,
    user_of,
)

Ask = Callable[[Program], int]


@dataclass
class Everything:
    """One question for each view; the status that comes back."""

    looking: dict[str, Ask]
    doing: dict[str, Ask]


@pytest.fixture
def steps(panel: Panel) -> Steps:
    return Steps(program_of(panel), data.fill(panel))


@pytest.fixture
def everything(panel: Panel, steps: Steps) -> Iterator[Everything]:
    backup = steps.take()
    restoration = steps.restore(backup)
    part = backup["service_instance_backups"][0]
    with panel.reading():
        demo, test = application().uuid, environment().uuid
        repository = load_repository(application().id).uuid
    paths = {
        "application": f"applications/{demo}/",
        "repository": f"repositories/{repository}/",
        "environments": f"environments/?application={demo}",
        "environment of a name": f"environments/?application={demo}&slug=test",
        "environment": f"environments/{test}/",
        "services": f"service-instances/?environment={test}&page_size=10",
        "backup": f"backups/{backup['uuid']}/",
        "part": f"service-instance-backups/{part}/",
        "restoration": f"backup-restores/{restoration['uuid']}/",
    }
    bodies: dict[str, dict[str, object]] = {
        "backups/": {"environment": test, "services": [steps.instance]},
        "backups/upload/": {"environment": test, "services": [steps.instance]},
        "backup-restores/": restore_body(backup),
        "backup-downloads/": download_body(backup),
    }

    def looking(path: str) -> Ask:
        return lambda program: program.get(f"/apps/v3/{path}").status_code

    def doing(path: str) -> Ask:
        return lambda program: program.post(f"/apps/v3/{path}", bodies[path]).status_code

    yield Everything(
        {name: looking(path) for name, path in paths.items()},
        {path: doing(path) for path in bodies},
    )


def asked(questions: dict[str, Ask], program: Program) -> set[int]:
    return {ask(program) for ask in questions.values()}


def test_who_may_what(panel: Panel, everything: Everything) -> None:
    for person in (ALICE, DORA):
        assert asked(everything.looking, program_of(panel, person)) == {200}
    bob, charlie, erin = (program_of(panel, person) for person in (BOB, CHARLIE, ERIN))
    assert asked(everything.looking, bob) == {200}
    assert asked(everything.doing, bob) == {403}
    assert asked(everything.looking, charlie) == asked(everything.doing, charlie) == {404}
    assert asked(everything.looking, erin) == asked(everything.doing, erin) <= {403, 404}
    nobody = Program(panel, None)
    assert asked(everything.looking, nobody) == asked(everything.doing, nobody) == {401}
    assert asked(everything.doing, program_of(panel, DORA)) <= {201, 400}  # a restore waits


def test_editors_take_backups_and_no_more(panel: Panel, everything: Everything) -> None:
    eve = program_of(panel, EVE)
    answers = {path: ask(eve) for path, ask in everything.doing.items()}
    assert answers == {
        "backups/": 201,
        "backups/upload/": 403,
        "backup-restores/": 403,
        "backup-downloads/": 403,
    }


@pytest.mark.parametrize("scope", [Scope.READ, Scope.DEPLOY])
def test_a_token_that_reaches_less_far(panel: Panel, everything: Everything, scope: Scope) -> None:
    program = program_of(panel, scope=scope)
    assert asked(everything.looking, program) == {200}
    assert asked(everything.doing, program) == {403}


def test_a_token_of_one_organisation(panel: Panel, everything: Everything) -> None:
    moon, alices = (program_of(panel, only=name) for name in ("moon", "alice"))
    assert asked(everything.looking, moon) == {200}
    assert asked(everything.looking, alices) == asked(everything.doing, alices) == {404}
    assert alices.get("/apps/v3/applications/").json["count"] == 0
    assert moon.get("/apps/v3/applications/?slug=demo").json["count"] == 1
    assert alices.get("/apps/v3/environments/").json["count"] == 0


def test_what_is_in_the_trash_is_not_there(panel: Panel, everything: Everything) -> None:
    with panel.work():
        trash_application(application(), user_of(ALICE))
    program = program_of(panel)
    assert asked(everything.looking, program) == asked(everything.doing, program) == {404}
    assert program.get("/apps/v3/applications/").json["count"] == 0


def test_an_organisation_that_asks_for_a_second_factor(
    panel: Panel, everything: Everything
) -> None:
    with panel.work():
        application().organisation.requires_second_factor = True
    program = program_of(panel)
    assert asked(everything.looking, program) == asked(everything.doing, program) == {403}


def test_what_one_is_told_of_oneself_and_others(panel: Panel) -> None:
    me = program_of(panel).get("/iam/v3/me/").json
    assert me["email"] == ALICE.email and me["uuid"] and me["first_name"] == "Alice"
    answer = Program(panel, "made-up").get("/iam/v3/me/")
    assert answer.status_code == 401 and "Show an access token" in answer.json["detail"]
    found = program_of(panel, CHARLIE).get("/apps/v3/applications/?slug=demo").json
    assert found == {"count": 0, "next": None, "previous": None, "results": []}


def test_pages_of_a_list(panel: Panel) -> None:
    program = program_of(panel)
    first = program.get("/apps/v3/environments/?page_size=1").json
    assert (first["count"], len(first["results"]), first["previous"]) == (2, 1, None)
    second = program.get(first["next"]).json
    assert second["next"] is None and second["results"][0]["slug"] == "live"
    assert "page_size=1" in second["previous"]
    for odd in ("page_size=0&page=x", "page=99999999999999", "page_size=-3"):
        assert program.get(f"/apps/v3/environments/?{odd}").status_code == 200


def test_a_repository_is_where_git_finds_it(panel: Panel) -> None:
    program = program_of(panel)
    uuid = program.get("/apps/v3/applications/?slug=demo").json["results"][0]["repository"]
    found = program.get(f"/apps/v3/repositories/{uuid}/").json
    assert found["dsn"] == "http://localhost/git/demo.git"
