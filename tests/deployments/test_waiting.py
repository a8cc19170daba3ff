"""One list of what waits for the next deployment: complete, never with a secret, and gone after."""

from __future__ import annotations

import pytest
from sqlalchemy import event

from app.applications.operations import rename_application
from app.deployments.models import CurrentRelease, Release
from app.deployments.pipeline import runner
from app.deployments.queries import find_current
from app.deployments.waiting import ChangeKind, Waiting, load_waiting
from app.domains.models import Domain, DomainKind, RedirectBy
from app.environments.operations import EnvironmentSettings, create_environment, update_environment
from app.environments.queries import list_environments
from app.extensions import db, now
from app.plans.queries import load_plan
from app.runtime.operations import add_release_command, remove_release_command
from app.runtime.queries import list_release_commands
from app.variables.operations import remove_variable, set_variable
from app.variables.queries import find_variable
from tests.deployments import site
from tests.panel import ALICE, BOB, CHARLIE, DORA, Panel, application, environment, user_of

SECRET = "opensesame-4711"


def set_(panel: Panel, name: str, value: str, is_secret: bool = False, on: str = "test") -> None:
    with panel.work():
        set_variable(environment(on), name, value, is_secret, user_of(ALICE))


def waiting(panel: Panel, slug: str = "test") -> Waiting:
    with panel.app.test_request_context():  # the words are in the person's language
        row = environment(slug)
        return load_waiting([row])[row.id]


def words(panel: Panel, slug: str = "test") -> list[tuple[str, str, str | None, str | None]]:
    return [(row.kind, row.name, row.before, row.after) for row in waiting(panel, slug).changes]


@pytest.fixture
def deployed(panel: Panel) -> Panel:
    """Test runs a release; nothing waits."""
    set_(panel, "COLOUR", "blue")
    set_(panel, "API_KEY", SECRET, is_secret=True)
    site.commit(panel)
    assert site.deploy(panel).status == "succeeded"
    assert words(panel) == []
    return panel


def test_never_deployed_says_so(panel: Panel) -> None:
    set_(panel, "COLOUR", "blue")
    found = waiting(panel)
    assert not found.is_deployed and found.changes == ()
    page = panel.client_of(ALICE).get("/applications/demo/environments/test/waiting/").text
    assert "was never deployed" in page


def test_variables_of_all_sorts(deployed: Panel) -> None:
    set_(deployed, "COLOUR", "red")
    set_(deployed, "NEW", " x ")
    set_(deployed, "API_KEY", "another-secret", is_secret=True)
    set_(deployed, "TOKEN", "second-secret", is_secret=True)
    with deployed.work():
        rename_application(application(), "Demonstration", user_of(ALICE))
    assert words(deployed) == [
        ("variable", "API_KEY", "", ""),
        ("variable", "COLOUR", "blue", "red"),
        ("variable", "NEW", None, " x "),
        ("variable", "SITE_NAME", "Demo", "Demonstration"),
        ("variable", "TOKEN", None, ""),
    ]
    verbs = {row.name: (row.verb, row.is_secret) for row in waiting(deployed).changes}
    assert verbs["API_KEY"] == ("changed", True) and verbs["TOKEN"] == ("added", True)


def test_a_removed_variable_and_one_that_was_taken_back(deployed: Panel) -> None:
    with deployed.work():
        for name in ("COLOUR", "API_KEY"):
            row = find_variable(environment().id, name)
            assert row
            remove_variable(environment(), row, user_of(ALICE))
    assert words(deployed) == [
        ("variable", "API_KEY", "", None),
        ("variable", "COLOUR", "blue", None),
    ]
    set_(deployed, "COLOUR", "blue")
    set_(deployed, "API_KEY", SECRET, is_secret=True)
    assert words(deployed) == []


def test_a_value_that_became_a_secret_is_not_told_any_more(deployed: Panel) -> None:
    set_(deployed, "COLOUR", "ultramarine")
    assert ("variable", "COLOUR", "blue", "ultramarine") in words(deployed)
    set_(deployed, "COLOUR", "ultramarine", is_secret=True)
    assert words(deployed) == [("variable", "COLOUR", "", "")]
    set_(deployed, "COLOUR", "vermilion")
    assert words(deployed) == [("variable", "COLOUR", "", "")]


def test_commands_containers_limits_and_branch(deployed: Panel) -> None:
    with deployed.work():
        add_release_command(application(), "Migrate", "manage.py migrate", user_of(ALICE))
        plan = load_plan(application().id)
        plan.memory_mb, plan.cpus = 1024, 0.5
        wanted = EnvironmentSettings("next", 1, is_deployed_on_push=False)
        update_environment(environment(), wanted, 4, user_of(ALICE))
    assert words(deployed) == [
        ("branch", "branch", "main", "next"),
        ("command", "Migrate", None, "manage.py migrate"),
        ("limit", "memory limit", "1.0 GiB", "2.0 GiB"),
        ("limit", "processors", "1", "0.5"),
    ]


def test_containers_and_a_removed_command(deployed: Panel) -> None:
    with deployed.work():
        add_release_command(application(), "Migrate", "manage.py migrate", user_of(ALICE))
        wanted = EnvironmentSettings("main", 3, is_deployed_on_push=False)
        update_environment(environment("live"), wanted, 4, user_of(ALICE))
    assert site.deploy(deployed, "live").status == "succeeded"
    with deployed.work():
        commands = list_release_commands(application().id)
        remove_release_command(application(), commands[0], user_of(ALICE))
        wanted = EnvironmentSettings("main", 2, is_deployed_on_push=False)
        update_environment(environment("live"), wanted, 4, user_of(ALICE))
    assert words(deployed, "live") == [
        ("command", "Migrate", "manage.py migrate", None),
        ("containers", "containers", "3", "2"),
    ]


def add_domain(host: str, kind: DomainKind) -> None:
    db.session.add(
        Domain(
            environment_id=environment().id,
            host=host,
            kind=kind,
            redirect_by=RedirectBy.FOUND,
            proved_at=now(),
        )
    )


def test_domains_are_told_once_and_not_again_as_variables(deployed: Panel) -> None:
    with deployed.work():
        add_domain("site.example", DomainKind.PRIMARY)
        add_domain("old.example", DomainKind.REDIRECT)
    assert words(deployed) == [
        ("domain", "old.example", None, "redirects to site.example (302)"),
        ("domain", "site.example", None, "shows the site"),
    ]
    set_(deployed, "DOMAIN_ALIASES", "mine.example")
    assert ("variable", "DOMAIN_ALIASES", "", "mine.example") in words(deployed)


def test_a_deployment_uses_it_all_up(deployed: Panel) -> None:
    set_(deployed, "COLOUR", "red")
    with deployed.work():
        add_domain("site.example", DomainKind.PRIMARY)
        add_release_command(application(), "Check", "true", user_of(ALICE))
        load_plan(application().id).pids = 99
    assert len(waiting(deployed).changes) == 4
    assert site.deploy(deployed).status == "succeeded"
    assert words(deployed) == []


def test_a_change_made_while_a_deployment_runs_goes_on_waiting(deployed: Panel) -> None:
    """The release is written from what was resolved at the start: what is saved during the build
    is not in it."""
    set_(deployed, "COLOUR", "red")
    site.commit(deployed)
    number = site.request(deployed)
    build = deployed.builder.build

    def slow_build(*arguments: object, **named: object) -> object:
        with deployed.app.app_context():
            set_(deployed, "LATE", "x")
        return build(*arguments, **named)  # type: ignore[arg-type]

    deployed.builder.build = slow_build  # type: ignore[method-assign,assignment]
    with deployed.reading():
        runner.run(number)
    assert site.look(deployed, number).status == "succeeded"
    assert words(deployed) == [("variable", "LATE", None, "x")]
    assert site.deploy(deployed).status == "succeeded"
    assert words(deployed) == []


def test_a_failed_deployment_uses_nothing_up(deployed: Panel) -> None:
    set_(deployed, "COLOUR", "red")
    site.commit(deployed, dockerfile=None)
    assert site.deploy(deployed).status == "failed"
    assert words(deployed) == [("variable", "COLOUR", "blue", "red")]
    assert waiting(deployed).commits == 1


def test_after_going_back_the_newer_settings_wait_again(deployed: Panel) -> None:
    from app.deployments.operations import request_roll_back

    set_(deployed, "COLOUR", "red")
    site.commit(deployed)
    assert site.deploy(deployed).status == "succeeded"
    with deployed.work():
        first = db.session.scalars(db.select(Release).order_by(Release.id)).first()
        assert first
        number = request_roll_back(environment(), first, user_of(ALICE)).id
    assert site.run(deployed, number).status == "succeeded"
    assert words(deployed) == [("variable", "COLOUR", "blue", "red")]


def test_pages_show_the_list_and_values_only_to_those_who_may_read_them(deployed: Panel) -> None:
    set_(deployed, "COLOUR", "ultramarine")
    set_(deployed, "API_KEY", "another-secret", is_secret=True)
    for name in ("A1", "A2"):
        set_(deployed, name, "x")
    base = "/applications/demo/"
    for person in (ALICE, DORA, BOB):
        client = deployed.client_of(person)
        assert "4 changes wait: A1, A2, API_KEY, …" in client.get(base).text
        page = client.get(f"{base}environments/test/waiting/").text
        assert "COLOUR" in page and "another-secret" not in page and SECRET not in page
        assert ("ultramarine" in page) == (person != BOB)
        assert ("/environments/test/deploy/" in page) == (person != BOB)
    for path in ("environments/test/variables/", "environments/test/"):
        page = deployed.client_of(DORA).get(base + path).text
        assert "4 changes wait for the next deployment" in page and "Deploy Test" in page
    stranger = deployed.client_of(CHARLIE)
    assert stranger.get(f"{base}environments/test/waiting/").status_code == 404


def test_the_page_of_a_deployment_tells_what_changed_since_the_last_one(deployed: Panel) -> None:
    set_(deployed, "COLOUR", "ultramarine")
    set_(deployed, "API_KEY", "another-secret", is_secret=True)
    site.commit(deployed, dockerfile=None)
    failed = site.deploy(deployed)
    assert failed.status == "failed"
    site.commit(deployed)
    done = site.deploy(deployed)
    page = deployed.client_of(DORA).get(f"/applications/demo/deployments/{done.uuid}/").text
    assert "API_KEY" in page and "ultramarine" in page and "another-secret" not in page
    page = deployed.client_of(BOB).get(f"/applications/demo/deployments/{done.uuid}/").text
    assert "COLOUR" in page and "ultramarine" not in page


def count_queries(panel: Panel) -> int:
    seen: list[str] = []

    def note(*arguments: object) -> None:
        seen.append(str(arguments[2]))

    with panel.app.test_request_context():
        rows = list_environments(application().id)
        event.listen(db.engine, "before_cursor_execute", note)
        assert all(found.is_deployed for found in load_waiting(rows).values())
        event.remove(db.engine, "before_cursor_execute", note)
    return len(seen)


def test_ten_environments_cost_as_many_queries_as_two(deployed: Panel) -> None:
    assert site.deploy(deployed, "live").status == "succeeded"
    set_(deployed, "COLOUR", "red")
    of_two = count_queries(deployed)
    with deployed.work():
        current = find_current(environment().id)
        assert current
        for number in range(8):
            region = environment().region
            row = create_environment(application(), region, f"e{number}", "E", "main")
            db.session.add(
                CurrentRelease(
                    environment_id=row.id,
                    release_id=current.release_id,
                    deployment_id=current.deployment_id,
                )
            )
    assert count_queries(deployed) == of_two < 14
    assert ChangeKind.VARIABLE in {row.kind for row in waiting(deployed, "e0").changes}
