"""The outbox: nothing is sent that did not happen, nothing is lost, nothing is sent for ever."""

from __future__ import annotations

import datetime
import threading

import pytest
from sqlalchemy import text

from app.adapters.mail import Letter
from app.errors import Unavailable
from app.extensions import db, now
from app.mails import jobs
from app.mails.models import Mail
from app.mails.operations import (
    ATTEMPT_SECONDS,
    DELIVER_JOB,
    FORGET_JOB,
    PATIENCE,
    claim,
    post_mail,
)
from app.mails.queries import list_due
from app.processes.scheduler import Recurring, enqueue_what_is_due
from tests.panel import ALICE, Panel

LINK = "https://panel.example.test/account/reset-password/secret-token/"


def write(panel: Panel) -> int:
    """A mail that is due; its number."""
    with panel.work():
        return post_mail(ALICE.email, "Hello", f"Open {LINK}\n").id


def deliver(panel: Panel, number: int) -> Mail:
    """One attempt as a worker makes it; the row afterwards."""
    with panel.reading():
        jobs.deliver(number)
    with panel.reading():
        row = db.session.get_one(Mail, number)
        assert row.text is not None
        return row


def pass_time(panel: Panel, number: int) -> None:
    """The mail is due now."""
    with panel.work():
        db.session.get_one(Mail, number).due_at = now()


def stored(panel: Panel) -> str:
    with panel.reading():
        return str(db.session.execute(text("SELECT text FROM mails")).all())


def test_a_mail_leaves_after_the_commit(panel: Panel) -> None:
    with panel.work():
        mail = post_mail(ALICE.email, "Hello", "Text")
        assert panel.queue.jobs == []
        number = mail.id
    assert panel.queue.jobs == [(DELIVER_JOB, (number,))]
    row = deliver(panel, number)
    assert [(letter.recipient, letter.text) for letter in panel.mailer.letters] == [
        (ALICE.email, "Text")
    ]
    assert row.delivered_at and row.due_at is None and row.text == ""


def test_none_is_sent_for_what_did_not_happen(panel: Panel) -> None:
    with pytest.raises(RuntimeError), panel.work():
        post_mail(ALICE.email, "Hello", "Text")
        raise RuntimeError("nothing of it")
    assert panel.queue.jobs == []
    with panel.reading():
        assert list_due() == []


def test_the_link_is_not_readable_where_it_is_kept_and_gone_once_delivered(panel: Panel) -> None:
    number = write(panel)
    assert "secret-token" not in stored(panel)
    deliver(panel, number)
    assert "secret-token" in panel.mailer.letters[0].text


def test_a_mail_whose_job_is_lost_is_found_by_the_scheduler(panel: Panel) -> None:
    panel.queue.is_down = True
    number = write(panel)
    panel.queue.is_down = False
    with panel.reading():
        enqueue_what_is_due(Recurring())
    assert (DELIVER_JOB, (number,)) in panel.queue.jobs


def test_a_worker_that_dies_in_the_attempt_loses_nothing(panel: Panel) -> None:
    number = write(panel)
    with panel.work():
        assert claim(number)  # and then the worker is killed
    assert deliver(panel, number).delivered_at is None, "somebody may still be at it"
    with panel.reading():
        row = db.session.get_one(Mail, number)
        assert row.due_at
        assert row.due_at - now() <= datetime.timedelta(seconds=ATTEMPT_SECONDS)
    pass_time(panel, number)
    assert deliver(panel, number).delivered_at
    assert len(panel.mailer.letters) == 1


def test_two_workers_at_once_send_it_once(panel: Panel) -> None:
    number = write(panel)
    together = threading.Barrier(4)
    sending = threading.Event()

    class SlowMailer:
        """Takes its time, so that the others find the letter under way."""

        def send(self, letter: Letter) -> None:
            panel.mailer.send(letter)
            sending.wait(0.3)

    object.__setattr__(panel.adapters, "mailer", SlowMailer())

    def work() -> None:
        together.wait()
        with panel.reading():
            jobs.deliver(number)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(panel.mailer.letters) == 1


def test_a_failed_attempt_is_repeated_later_and_later_until_it_is_given_up(panel: Panel) -> None:
    number = write(panel)
    panel.mailer.failure = Unavailable("The mail server asks to try again later (451).")
    for seconds in PATIENCE:
        row = deliver(panel, number)
        assert row.due_at and row.text and row.failure == panel.mailer.failure.sentence
        assert abs((row.due_at - now()).total_seconds() - seconds) < 5
        assert deliver(panel, number).attempts == row.attempts, "it is not due"
        pass_time(panel, number)
    row = deliver(panel, number)
    assert row.due_at is None and row.delivered_at is None and row.text == ""
    assert row.attempts == len(PATIENCE) + 1


def test_workers_that_die_each_time_do_not_go_on_for_ever(panel: Panel) -> None:
    number = write(panel)
    for _ in range(len(PATIENCE) + 1):
        with panel.work():
            assert claim(number)
        pass_time(panel, number)
    row = deliver(panel, number)
    assert row.due_at is None and row.text == "" and panel.mailer.letters == []


def test_a_final_refusal_is_not_repeated(panel: Panel) -> None:
    number = write(panel)
    panel.mailer.failure = Unavailable("The mail server refused the letter (550).", retry=False)
    row = deliver(panel, number)
    assert row.due_at is None and row.text == "" and "550" in row.failure


def test_an_attempt_that_took_too_long_does_not_spoil_the_next_one(panel: Panel) -> None:
    number = write(panel)

    class StuckMailer:
        """Fails so late that another worker has taken the letter and delivered it."""

        def send(self, letter: Letter) -> None:
            object.__setattr__(panel.adapters, "mailer", panel.mailer)
            pass_time(panel, number)
            assert deliver(panel, number).delivered_at
            raise Unavailable("The mail server does not answer as it should.")

    object.__setattr__(panel.adapters, "mailer", StuckMailer())
    row = deliver(panel, number)
    assert row.delivered_at and row.due_at is None and row.failure == ""


def test_one_that_cannot_be_decrypted_stops_nobody_else(panel: Panel) -> None:
    broken, sound = write(panel), write(panel)
    with panel.work():
        db.session.execute(text("UPDATE mails SET text = 'rubbish' WHERE id = :id"), {"id": broken})
    with panel.reading():
        enqueue_what_is_due(Recurring())
        jobs.deliver(broken)
        jobs.deliver(sound)
    assert len(panel.mailer.letters) == 1
    with panel.reading():
        row = db.session.get_one(Mail, broken)
        assert row.due_at is None and "decrypted" in row.failure


def test_old_mails_are_forgotten(panel: Panel) -> None:
    old, due, fresh = write(panel), write(panel), write(panel)
    deliver(panel, old)
    deliver(panel, fresh)
    with panel.work():
        for number in (old, due):
            row = db.session.get_one(Mail, number)
            row.created_at = now() - datetime.timedelta(days=30, seconds=1)
    with panel.reading():
        enqueue_what_is_due(Recurring())
        jobs.forget_old()
        assert set(db.session.scalars(db.select(Mail.id))) == {due, fresh}
    assert (FORGET_JOB, ()) in panel.queue.jobs


def test_operators_send_a_test(panel: Panel) -> None:
    runner = panel.app.test_cli_runner()
    done = runner.invoke(args=["panel", "mail", "test", "zoe@example.test"])
    assert done.exit_code == 0 and "zoe@example.test" in done.output
    assert panel.mailer.letters[0].recipient == "zoe@example.test"
    panel.mailer.failure = Unavailable("The mail server does not answer as it should.")
    done = runner.invoke(args=["panel", "mail", "test", "zoe@example.test"])
    assert done.exit_code == 1 and "does not answer" in done.output
