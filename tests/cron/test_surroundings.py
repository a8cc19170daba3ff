"""Runs and what is around them: the trash, newer releases, people who press and who are told."""

from __future__ import annotations

import pytest

from app.accounts.models import FailureNotices
from app.adapters.engine.fake import ScriptedRun
from app.applications.models import Application
from app.cron import turns
from app.cron.container import name_of
from app.cron.operations import request_run
from app.deployments.models import Release
from app.deployments.reconcile import reconcile
from app.errors import Conflict, Invalid
from app.extensions import db
from app.installation import installation
from app.lifecycle.trash import trash_application
from app.mails.models import Mail
from tests.cron import jobs
from tests.cron.jobs import TIDY, due, running
from tests.flows.processes import wait_for
from tests.panel import ALICE, BOB, DORA, Panel, application, environment, user_of


def test_what_runs_is_stopped_when_the_site_goes_to_the_trash(site: Panel) -> None:
    site.engine.script(TIDY, ScriptedRun(seconds=99))
    due(site)
    with running(site) as rounds:
        rounds.until("running")
        wait_for(lambda: jobs.containers(site), 5)
        with site.work():
            trash_application(application(), user_of(ALICE))
        with site.reading():
            assert reconcile(installation()).removed  # the web container, not the run's
        (run,) = rounds.until("failed")
    assert "went to the trash" in run.sentence
    with site.reading():
        assert not db.session.scalars(db.select(Mail)).all()


def test_what_waits_is_not_begun_in_the_trash(site: Panel) -> None:
    due(site)
    with site.work():
        trash_application(application(), user_of(ALICE))
    with running(site) as rounds:
        (run,) = rounds.until("skipped")
    assert run.sentence == turns.IN_TRASH
    with site.work():
        db.session.execute(db.update(Application).values(trashed_at=None))


def test_one_that_waited_runs_what_the_release_of_now_says(site: Panel) -> None:
    due(site)
    with site.work():
        job = db.session.scalars(db.select(Release)).one().cron_jobs[0]
    jobs.deploy(site)
    jobs.release(site, [{**job, "command": "tidy --new"}])
    site.engine.script(("tidy", "--new"), ScriptedRun())
    with running(site) as rounds:
        (run,) = rounds.until("succeeded")
    assert site.engine.specs[name_of(run.uuid)].command == ("tidy", "--new")
    due(site, 20.01)
    jobs.release(site, [])
    jobs.deploy(site)
    jobs.release(site, [])
    with running(site) as rounds:
        rounds.until("succeeded", "skipped")


def test_run_now(site: Panel) -> None:
    with site.work():
        uuid = db.session.scalars(db.select(Release)).one().cron_jobs[0]["uuid"]
        assert request_run(environment("test"), uuid, user_of(DORA)).cause == "person"
    with site.work(), pytest.raises(Conflict):
        request_run(environment("test"), uuid, user_of(DORA))
    with site.work(), pytest.raises(Invalid, match="Deploy first"):
        request_run(environment("test"), "another", user_of(DORA))
    with running(site) as rounds:
        rounds.until("succeeded")


def letters(panel: Panel) -> list[tuple[str, str]]:
    with panel.reading():
        return [(row.recipient, row.subject) for row in db.session.scalars(db.select(Mail))]


def test_who_wants_to_know_is_told_when_it_begins_to_fail(site: Panel) -> None:
    with site.work():
        for person in (ALICE, BOB):
            user_of(person).failure_notices = FailureNotices.ALL
    with running(site) as rounds:
        ends = []
        for number, code in enumerate((1, 1, 0, 1), 1):
            site.engine.script(TIDY, ScriptedRun(exit_code=code))
            due(site, number * 10 + 0.01)
            ends.append("failed" if code else "succeeded")
            rounds.until(*ends)
    # Bob may only look; each time it begins to fail is one letter.
    assert [to for to, _ in letters(site)] == [ALICE.email, ALICE.email]
    assert letters(site)[0][1] == "Demo: cron job “Tidy up” failed on Test"
