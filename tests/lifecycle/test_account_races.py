"""Two acts on people's accounts at the same moment, on both databases."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import select

from app.accounts import password_resets
from app.accounts.models import User
from app.accounts.operations import check_password
from app.accounts.password_resets import reset_password, send_password_reset
from app.errors import PanelError
from app.extensions import db
from app.lifecycle.account_deletion import delete_account, list_holdings
from app.mails import jobs
from app.mails.models import Mail
from app.mails.operations import post_mail
from app.organisations.operations import change_role
from app.organisations.queries import count_owners, find_member
from app.permissions import Role
from app.transactions import unit_of_work
from tests.panel import (
    ADAM,
    ALICE,
    PASSWORD,
    Panel,
    organisation,
    user_of,
)

NEW = "password of {}, which is long"


@pytest.fixture(params=["sqlite", "postgresql"])
def settled(request: pytest.FixtureRequest) -> Panel:
    """The people of every test, on one database or the other."""
    name = "panel" if request.param == "sqlite" else "settled_postgresql_panel"
    panel: Panel = request.getfixturevalue(name)
    return panel


def at_once(panel: Panel, acts: list[Callable[[], None]]) -> int:
    """Do all in threads of their own; returns how many were not refused."""
    together = threading.Barrier(len(acts))
    done: list[bool] = []

    def run(act: Callable[[], None]) -> None:
        with panel.reading():
            together.wait()
            try:
                act()
                done.append(True)
            except PanelError:
                done.append(False)

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == len(acts), "one of them broke"
    return sum(done)


def test_a_mail_is_delivered_by_one_worker(settled: Panel) -> None:
    for _ in range(3):
        with settled.work():
            number = post_mail(ALICE.email, "Hello", "Text").id
        settled.mailer.letters.clear()
        assert at_once(settled, [lambda number=number: jobs.deliver(number)] * 4) == 4
        assert len(settled.mailer.letters) == 1
        with settled.reading():
            assert db.session.get_one(Mail, number).delivered_at


def test_a_link_is_used_once(settled: Panel) -> None:
    with settled.work():
        send_password_reset(ALICE.email)
        text = db.session.scalars(select(Mail)).one().text
    token = text.partition("reset-password/")[2].partition("/")[0]
    with settled.reading():
        assert password_resets.find_password_reset(token)

    def choose(number: int) -> Callable[[], None]:
        def act() -> None:
            with unit_of_work():
                reset_password(token, NEW.format(number))

        return act

    assert at_once(settled, [choose(number) for number in range(3)]) == 1
    with settled.reading():
        right = [check_password(ALICE.email, NEW.format(number)) for number in range(3)]
        assert sum(user is not None for user in right) == 1


def test_two_owners_do_not_leave_together(settled: Panel) -> None:
    with settled.work():
        member = find_member(organisation().id, user_of(ADAM).id)
        assert member
        change_role(member, Role.OWNER, user_of(ALICE))

    def leave(email: str) -> Callable[[], None]:
        def act() -> None:
            with unit_of_work():
                user = db.session.scalars(select(User).where(User.email == email)).one()
                delete_account(user, PASSWORD)

        return act

    assert at_once(settled, [leave(person.email) for person in (ALICE, ADAM)]) == 1
    with settled.reading():
        assert count_owners(organisation().id) == 1
        left = db.session.scalars(select(User).where(User.email.in_([ALICE.email, ADAM.email])))
        holding = {row.organisation.slug: row for row in list_holdings(left.one())}["moon"]
        assert not holding.is_theirs_alone and holding.applications >= 1
