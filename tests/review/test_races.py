"""Two people at the same moment: one gets what they asked for, the other a sentence."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from app.applications.models import Application
from app.deployments.models import Deployment, DeploymentStep
from app.deployments.operations import request_cancel, take_lease, take_over
from app.deployments.pipeline import POINT_OF_NO_RETURN, runner
from app.deployments.pipeline.context import load_context
from app.deployments.pipeline.switch_traffic import SwitchTraffic
from app.errors import Conflict, Invalid, PanelError
from app.extensions import db, now
from app.installation import installation
from app.logs.queries import log_store
from app.organisations.models import Member
from app.organisations.operations import add_member, change_role, remove_member, sign_up
from app.organisations.queries import count_owners, find_member
from app.permissions import Role
from app.regions.models import Subnet
from app.regions.operations import allocate_subnet
from app.routes.queries import find_route
from app.transactions import unit_of_work
from app.variables.models import Variable
from tests.deployments import site
from tests.panel import (
    ADAM,
    ALICE,
    BOB,
    PASSWORD,
    Panel,
    environment,
    make_application,
    organisation,
    user_of,
)


@pytest.fixture
def on_postgresql(postgresql_panel: Panel) -> Panel:
    """A panel on PostgreSQL with the organisation `alice`, owned by Alice and Adam, and `demo`."""
    panel = postgresql_panel
    with panel.work():
        alice = sign_up(ALICE.email, ALICE.name, PASSWORD)
        sign_up(ADAM.email, ADAM.name, PASSWORD)
        add_member(organisation("alice"), ADAM.email, Role.OWNER, alice)
        make_application(panel, "demo", organisation("alice"), alice)
    return panel


def at_once(panel: Panel, *acts: Callable[[], object]) -> list[BaseException]:
    """Let each act run in a unit of work and a thread of its own; returns what they raised. All
    have done their part before the first commits, as far as the database lets them."""
    raised: list[BaseException] = []
    done = threading.Barrier(len(acts))

    def run(act: Callable[[], object]) -> None:
        try:
            with panel.work():
                act()
                try:
                    done.wait(0.5)
                except threading.BrokenBarrierError:
                    return
        except Exception as error:  # noqa: BLE001 -- whatever it is, the assertion shows it
            raised.append(error)

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def test_what_somebody_else_has_just_made_is_a_conflict(panel: Panel) -> None:
    with pytest.raises(Conflict, match="just made the same"), panel.work():
        number = environment().id
        db.session.add_all(Variable(environment_id=number, name="A", value="b") for _ in "12")


def test_a_mistake_of_ours_is_no_conflict(panel: Panel) -> None:
    with pytest.raises(Exception, match="NOT NULL"), panel.work():
        db.session.add(Variable(environment_id=environment().id, name=None, value="b"))


def test_what_somebody_else_has_just_removed_is_a_conflict(panel: Panel) -> None:
    client = panel.client_of(ALICE)
    with panel.reading():
        member = find_member(organisation().id, user_of(BOB).id)
        assert member and member.role == Role.REGULAR
        path = f"/organisations/moon/members/{member.id}/remove/"
        thread = threading.Thread(target=client.post, args=(path,))
        thread.start()
        thread.join()
        with pytest.raises(Conflict, match="just removed"):
            remove_once_more(member)


def remove_once_more(member: Member) -> None:
    """What a view does that loaded the member before its unit of work."""
    with unit_of_work():
        remove_member(member, user_of(ALICE))


def test_one_slug_for_two_people(on_postgresql: Panel) -> None:
    def make() -> None:
        make_application(on_postgresql, "wanted", organisation("alice"), user_of(ALICE))

    raised = at_once(on_postgresql, make, make)
    assert len(raised) == 1 and isinstance(raised[0], Conflict | Invalid)
    with on_postgresql.reading():
        wanted = db.select(Application).where(Application.slug == "wanted")
        assert len(db.session.scalars(wanted).all()) == 1


def test_two_owners_cannot_take_each_other_out(on_postgresql: Panel) -> None:
    def demote(one: str, other: str) -> Callable[[], None]:
        def act() -> None:
            people = {person.name: user_of(person) for person in (ALICE, ADAM)}
            member = find_member(organisation("alice").id, people[other].id)
            assert member
            change_role(member, Role.REGULAR, people[one])

        return act

    raised = at_once(on_postgresql, demote("Alice", "Adam"), demote("Adam", "Alice"))
    assert len(raised) == 1 and isinstance(raised[0], PanelError)
    with on_postgresql.reading():
        assert count_owners(organisation("alice").id) == 1


def test_two_environments_get_two_subnets(on_postgresql: Panel) -> None:
    def allocate(slug: str) -> Callable[[], object]:
        return lambda: allocate_subnet(environment(slug).region, environment(slug).id, 27)

    assert at_once(on_postgresql, allocate("test"), allocate("live")) == []
    with on_postgresql.reading():
        assert len(set(db.session.scalars(db.select(Subnet.cidr)))) == 2


def lease(panel: Panel) -> tuple[int, str]:
    """A deployment a worker has begun: its number and the worker's token."""
    number = site.request(panel)
    with panel.work():
        token = take_lease(db.session.get_one(Deployment, number))
        assert token
    return number, token


def test_nobody_takes_a_deployment_over_while_its_worker_writes(on_postgresql: Panel) -> None:
    number, token = lease(on_postgresql)
    tokens: list[str | None] = []

    def recover() -> None:
        with on_postgresql.work():
            tokens.append(take_over(db.session.get_one(Deployment, number), lease_seconds=-5))

    thread = threading.Thread(target=recover)
    with on_postgresql.work():
        row = db.session.get_one(Deployment, number)
        context = load_context(row, installation(), log_store())
        runner._require_lease(context, token)
        thread.start()
        thread.join(0.5)
        assert tokens == []  # it waits for this transaction
    thread.join()
    assert tokens and tokens[0]
    with pytest.raises(runner.LeaseLost), on_postgresql.work():
        runner._require_lease(context, token)


def test_a_cancel_in_the_last_moment_keeps_visitors_where_they_are(panel: Panel) -> None:
    site.commit(panel)
    number, token = lease(panel)
    with panel.work():
        request_cancel(db.session.get_one(Deployment, number), user_of(ALICE))
    with panel.reading():
        context = load_context(db.session.get_one(Deployment, number), installation(), log_store())
        with pytest.raises(runner.Cancelled):
            runner._run_step(context, SwitchTraffic(), token)
        assert find_route(environment().id) is None


def test_a_cancel_during_the_switch_is_refused_instead_of_promised(panel: Panel) -> None:
    number, _ = lease(panel)
    with panel.work():
        row = DeploymentStep(deployment_id=number, name=POINT_OF_NO_RETURN, started_at=now())
        db.session.add(row)
    with pytest.raises(Conflict, match="too late"), panel.work():
        request_cancel(db.session.get_one(Deployment, number), user_of(ALICE))
    assert site.look(panel, number).cancel_requested_at is None
