"""The pages of cron jobs: who may do what, what waits for a deployment, what bad input gets."""

from __future__ import annotations

import re

import pytest

from app.audit.models import AuditLine
from app.cron.models import CronRun, RunStatus
from app.extensions import db
from app.logs.queries import log_store
from app.plans.models import Plan
from app.runtime.models import CronJob
from tests.cron import jobs
from tests.cron.jobs import FORM
from tests.panel import ALICE, BOB, CHARLIE, DORA, EVE, Panel, environment

PAGE = "/applications/demo/environments/test/cron-jobs/"


def all_jobs(panel: Panel) -> list[CronJob]:
    with panel.reading():
        return list(db.session.scalars(db.select(CronJob).order_by(CronJob.id)))


def acts(panel: Panel) -> list[str]:
    with panel.reading():
        lines = db.session.scalars(db.select(AuditLine).order_by(AuditLine.id))
        return [row.action for row in lines if row.action.startswith("cron_job")]


def test_a_job_from_its_first_line_to_its_last(panel: Panel) -> None:
    dora = panel.client_of(DORA)
    assert "Nothing runs by the clock yet" in dora.get(PAGE).text
    assert dora.get(f"{PAGE}new/").status_code == 200
    assert dora.post(f"{PAGE}new/", data=FORM).status_code == 303
    (row,) = all_jobs(panel)
    assert (row.schedule, row.zone, row.timeout_seconds) == ("*/10 * * * *", "Europe/Zurich", 600)
    page = dora.get(PAGE).text
    assert "Every 10 minutes" in page and "Runs from the next deployment on." in page
    assert "Run now" not in page
    jobs.deploy(panel)
    page = dora.get(PAGE).text
    assert "next deployment on." not in page and "from now" in page and "Run now" in page
    changed = FORM | {"period": "own", "schedule": "30  6 * * 1-5", "repeats_lost": "y"}
    assert "*/10 * * * *" in dora.get(f"{PAGE}{row.uuid}/edit/").text
    assert dora.post(f"{PAGE}{row.uuid}/edit/", data=changed).status_code == 303
    page = dora.get(PAGE).text
    assert "At 06:30 on Monday through Friday" in page
    assert "what runs is as before until the next deployment" in page
    assert 'value="30 6 * * 1-5"' in dora.get(f"{PAGE}{row.uuid}/edit/").text
    jobs.deploy(panel)
    assert dora.post(f"{PAGE}{row.uuid}/pause/").status_code == 303
    assert "Until then it runs" in dora.get(PAGE).text
    jobs.deploy(panel)
    page = dora.get(PAGE).text
    assert "Paused" in page and "Run now" not in page
    assert dora.post(f"{PAGE}{row.uuid}/resume/").status_code == 303
    jobs.deploy(panel)
    assert dora.post(f"{PAGE}{row.uuid}/remove/").status_code == 303
    assert "Removed at the next deployment" in dora.get(PAGE).text
    jobs.deploy(panel)
    assert "Nothing runs by the clock yet" in dora.get(PAGE).text
    said = [f"cron_job.{word}" for word in ("add", "change", "pause", "resume", "remove")]
    assert acts(panel) == said
    assert (
        "added the cron job “Tidy up”"
        in panel.client_of(ALICE).get("/organisations/moon/audit/?group=cron_job").text
    )


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"command": "echo 'open"}, "quotation mark"),
        ({"command": "one\ntwo"}, "A command is one line"),
        ({"command": "''"}, "names no program"),
        ({"command": "x" * 1001}, "1 to 1000 characters"),
        ({"command": ""}, "field is required"),
        ({"label": "x" * 101}, "at most 100 characters"),
        ({"period": "own", "schedule": "0 0 31 2 *"}, "this would never run"),
        ({"period": "own", "schedule": "* * * * * *"}, "at most once a minute"),
        ({"period": "own", "schedule": ""}, "one line of five fields"),
        ({"period": "made up"}, "Not a valid choice"),
        ({"zone": "Mars/Olympus"}, "Choose a time zone"),
        ({"timeout_seconds": "0"}, "1 to 3600 seconds"),
        ({"timeout_seconds": ""}, "field is required"),
        ({"timeout_seconds": "-5"}, "1 to 3600 seconds"),
        ({"timeout_seconds": "3601"}, "1 to 3600 seconds"),
        ({"timeout_seconds": "ten"}, "Not a valid integer"),
        ({"overlap": "both"}, "Not a valid choice"),
    ],
)
def test_bad_input_gets_a_sentence(panel: Panel, changed: dict[str, str], sentence: str) -> None:
    answer = panel.client_of(DORA).post(f"{PAGE}new/", data=FORM | changed)
    assert answer.status_code == 400 and sentence in answer.text
    assert all_jobs(panel) == []


def test_plans_may_have_no_cron_jobs(panel: Panel) -> None:
    with panel.work():
        db.session.execute(db.update(Plan).values(cron_seconds=0))
    dora = panel.client_of(DORA)
    assert "has no cron jobs" in dora.get(PAGE).text
    assert "has no cron jobs" in dora.post(f"{PAGE}new/", data=FORM).text
    assert all_jobs(panel) == []


def test_an_environment_has_only_so_many(panel: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.cron.operations.MOST_JOBS", 1)
    dora = panel.client_of(DORA)
    assert dora.post(f"{PAGE}new/", data=FORM).status_code == 303
    assert "at most 1 cron jobs" in dora.post(f"{PAGE}new/", data=FORM).text


def test_run_now_and_what_it_printed(panel: Panel) -> None:
    uuid = jobs.add(panel)
    jobs.deploy(panel)
    dora = panel.client_of(DORA)
    answer = dora.post(f"{PAGE}{uuid}/run/")
    assert answer.status_code == 303
    run_page = answer.headers["Location"]
    assert "Waiting" in dora.get(run_page).text and "Dora pressed" in dora.get(run_page).text
    with panel.work():
        run = db.session.scalars(db.select(CronRun)).one()
        run.status, run.exit_code, run.sentence = RunStatus.FAILED, 3, "It ended with exit code 3."
        log_store().cron_run(environment("test").uuid, run.uuid).append("<b>printed</b>\n")
    page = panel.client_of(BOB).get(run_page).text
    assert (
        "&lt;b&gt;printed&lt;/b&gt;" in page
        and "exit code 3" in page
        and f"{uuid}/run/" not in page
    )
    history = panel.client_of(BOB).get(f"{PAGE}{uuid}/").text
    assert "Failed" in history and "started by Dora" in history
    assert acts(panel)[-1] == "cron_job.run"


def test_run_now_while_it_runs_is_refused_with_a_sentence(panel: Panel) -> None:
    uuid = jobs.add(panel)
    jobs.deploy(panel)
    dora = panel.client_of(DORA)
    assert dora.post(f"{PAGE}{uuid}/run/").status_code == 303
    again = dora.post(f"{PAGE}{uuid}/run/")
    assert again.status_code == 409 and "already" in again.text
    never = jobs.add(panel, label="Never deployed")
    refused = dora.post(f"{PAGE}{never}/run/")
    assert refused.status_code == 400 and "Deploy first" in refused.text
    assert dora.post(f"{PAGE}made-up/run/").status_code == 404


def test_the_history_of_a_removed_job_is_kept(panel: Panel) -> None:
    uuid = jobs.add(panel)
    jobs.deploy(panel)
    jobs.settle_run(panel)
    dora = panel.client_of(DORA)
    dora.post(f"{PAGE}{uuid}/remove/")
    jobs.deploy(panel)
    page = dora.get(f"{PAGE}{uuid}/")
    assert page.status_code == 200 and "Succeeded" in page.text and "Tidy up" in page.text


def test_the_next_run_is_told_in_the_person_s_zone(panel: Panel) -> None:
    jobs.add(panel, schedule="0 12 * * *", zone="UTC")
    jobs.deploy(panel)
    profile = {"name": "Bob", "time_zone": "Asia/Tokyo", "language": "en", "notices": "own"}
    bob = panel.client_of(BOB)
    bob.post("/account/", data=profile)
    assert re.search(r"21:00:00 JST", bob.get(PAGE).text)


def test_who_may_look_and_who_may_not(panel: Panel) -> None:
    uuid = jobs.add(panel)
    jobs.deploy(panel)
    run = jobs.settle_run(panel)
    looks = [PAGE, f"{PAGE}{uuid}/", f"{PAGE}runs/{run}/"]
    forms = [f"{PAGE}new/", f"{PAGE}{uuid}/edit/"]
    does = [f"{PAGE}{uuid}/{act}/" for act in ("edit", "pause", "resume", "remove", "run")]
    for person, may_look, may_change in (
        (ALICE, 200, 200),
        (BOB, 200, 403),
        (EVE, 403, 403),
        (CHARLIE, 404, 404),
    ):
        client = panel.client_of(person)
        assert {client.get(path).status_code for path in looks} == {may_look}, person
        assert {client.get(path).status_code for path in forms} == {may_change}, person
        if may_change != 200:
            codes = {client.post(path, data=FORM).status_code for path in (*does, f"{PAGE}new/")}
            assert codes == {may_change}, person
    assert "Add cron job" not in panel.client_of(BOB).get(PAGE).text
    elsewhere = PAGE.replace("/test/", "/live/")
    for path in (f"{uuid}/", f"{uuid}/edit/", f"runs/{run}/"):
        assert panel.client_of(ALICE).get(f"{elsewhere}{path}").status_code == 404
