"""Mails about failed deployments: to whom, once, and in words."""

from __future__ import annotations

import pytest

from app.accounts.models import FailureNotices
from app.deployments.models import Deployment, DeploymentStatus
from app.deployments.operations import Outcome, close, request_cancel
from app.deployments.pipeline import runner
from app.extensions import db
from app.mails.models import Mail
from app.organisations.queries import find_member
from app.variables.operations import set_variable
from tests.deployments import site
from tests.panel import (
    ADAM,
    ALICE,
    BOB,
    CHARLIE,
    DORA,
    RITA,
    Panel,
    Person,
    application,
    environment,
    organisation,
    user_of,
)

SECRET = "a-very-secret-image"


def wants(panel: Panel, notices: dict[Person, FailureNotices]) -> None:
    with panel.work():
        for person, choice in notices.items():
            user_of(person).failure_notices = choice


def fail(panel: Panel) -> Deployment:
    """A deployment by Alice whose build fails."""
    site.commit(panel, None)
    row = site.deploy(panel)
    assert row.status == DeploymentStatus.FAILED
    return row


def letters(panel: Panel) -> list[tuple[str, str, str]]:
    """Recipient, subject and text of what is in the outbox."""
    with panel.reading():
        rows = db.session.scalars(db.select(Mail).order_by(Mail.recipient))
        return [(row.recipient, row.subject, row.text) for row in rows]


def told(panel: Panel) -> list[str]:
    return [recipient for recipient, _, _ in letters(panel)]


def test_who_asked_is_told_in_plain_words(panel: Panel) -> None:
    row = fail(panel)
    ((recipient, subject, text),) = letters(panel)
    assert recipient == ALICE.email
    assert subject == "Demo: deployment to Test failed"
    for part in (
        "Hello Alice",
        "deployment of Demo, environment Test",
        row.sentence,
        row.advice,
        f"{row.commit[:7]} “A change”",
        f"http://localhost:8000/applications/demo/deployments/{row.uuid}/\n",
        "http://localhost:8000/account/",
    ):
        assert part in text
    assert row.sentence and row.advice


def test_those_who_work_on_it_are_told_of_all_if_they_wish(panel: Panel) -> None:
    everybody = (ALICE, ADAM, DORA, BOB, RITA, CHARLIE)
    wants(panel, dict.fromkeys(everybody, FailureNotices.ALL))
    fail(panel)
    assert told(panel) == [ADAM.email, ALICE.email, DORA.email], "one each; Bob may only look"


def test_who_wants_none_gets_none(panel: Panel) -> None:
    wants(panel, {ALICE: FailureNotices.NONE, DORA: FailureNotices.OWN})
    fail(panel)
    assert told(panel) == []


def test_who_is_no_member_any_more_is_told_nothing(panel: Panel) -> None:
    site.commit(panel, None)
    number = site.request(panel)
    with panel.work():
        member = find_member(organisation().id, user_of(ALICE).id)
        db.session.delete(member)
    assert site.run(panel, number).status == DeploymentStatus.FAILED
    assert told(panel) == []


def test_where_a_second_factor_is_asked_for_only_those_with_one_are_told(panel: Panel) -> None:
    with panel.work():
        organisation().requires_second_factor = True
        user_of(ADAM).totp_secret = "JBSWY3DPEHPK3PXP"
    wants(panel, {ADAM: FailureNotices.ALL})
    fail(panel)
    assert told(panel) == [ADAM.email]


@pytest.mark.parametrize("is_running", [False, True], ids=["waiting", "running"])
def test_a_cancelled_one_is_no_failure(panel: Panel, is_running: bool) -> None:
    site.commit(panel)
    number = site.request(panel)
    with panel.work():
        row = db.session.get_one(Deployment, number)
        if is_running:
            row.cancel_requested_at = row.created_at
        else:
            request_cancel(row, user_of(ALICE))
    assert site.run(panel, number).status == DeploymentStatus.CANCELLED
    assert told(panel) == []


def test_a_success_is_no_failure(panel: Panel) -> None:
    site.commit(panel)
    assert site.deploy(panel).status == DeploymentStatus.SUCCEEDED
    assert told(panel) == []


def test_a_lost_worker_is_told_of_once(panel: Panel) -> None:
    site.commit(panel)
    number = site.request(panel)
    with panel.work():
        row = db.session.get_one(Deployment, number)
        row.status, row.lease_token = DeploymentStatus.RUNNING, "of a dead worker"
        row.started_at = row.heartbeat_at = row.created_at.replace(year=2020)
    with panel.reading():
        runner.recover(number)
        runner.recover(number)
    assert site.look(panel, number).status == DeploymentStatus.FAILED
    assert told(panel) == [ALICE.email]
    with panel.work():
        close(db.session.get_one(Deployment, number), Outcome(DeploymentStatus.FAILED, "again"))
    assert told(panel) == [ALICE.email]


def test_no_mail_holds_a_secret(panel: Panel) -> None:
    with panel.work():
        set_variable(environment(), "IMAGE", SECRET, True, user_of(ALICE))
    site.commit(panel, f"FROM {SECRET}\n")
    row = site.deploy(panel)
    assert row.status == DeploymentStatus.FAILED
    ((_, _, text),) = letters(panel)
    assert row.sentence in text and "•" in row.sentence
    assert SECRET not in text


def test_a_name_with_braces_is_text(panel: Panel) -> None:
    """It is not part of the letter's form."""
    with panel.work():
        application().name = "{name} {0}"
    fail(panel)
    assert "deployment of {name} {0}, environment" in letters(panel)[0][2]
