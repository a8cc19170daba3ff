"""Writing to the outbox, and delivering from it."""

from __future__ import annotations

import datetime

from sqlalchemy import delete

from app.adapters.job_queue import Queue
from app.adapters.mail import Letter, Mailer
from app.errors import Unavailable
from app.extensions import db, now
from app.jobs.queueing import enqueue_after_commit
from app.mails.models import Mail

DELIVER_JOB = "app.mails.jobs.deliver"
FORGET_JOB = "app.mails.jobs.forget_old"
PATIENCE = (30, 120, 600, 3600, 4 * 3600, 12 * 3600, 24 * 3600)
"""Seconds to wait after each failed attempt; after the last one the mail is given up (RFC 5321,
4.5.4.1 asks for some days of trying)."""
ATTEMPT_SECONDS = 10 * 60
"""A mail that was taken for an attempt and not settled after this long has lost its worker. Longer
than any attempt: every answer of a mail server is waited for 15 s at most."""
KEPT_DAYS = 30


def post_mail(recipient: str, subject: str, text: str) -> Mail:
    """Put a mail into the outbox. It leaves after the commit, and never if there is none."""
    mail = Mail(recipient=recipient, subject=subject, text=text, due_at=now())
    db.session.add(mail)
    db.session.flush()
    enqueue_after_commit(Queue.OPERATIONS, DELIVER_JOB, mail.id, key=f"mail-{mail.id}-0")
    return mail


def claim(mail_id: int) -> Mail | None:
    """Take the mail for one attempt: nobody else tries meanwhile. None when it is not due.

    Belongs into a unit of work of its own, before the attempt: a worker that dies in it leaves
    the mail to the next one, `ATTEMPT_SECONDS` later.
    """
    # PostgreSQL locks the row, SQLite has locked everything: of two workers one finds it taken.
    mail = db.session.get(Mail, mail_id, populate_existing=True, with_for_update=True)
    moment = now()
    if mail is None or mail.due_at is None or mail.due_at > moment:
        return None
    if mail.attempts > len(PATIENCE):
        _end(mail)  # the last worker died, too
        return None
    mail.attempts += 1
    mail.due_at = moment + datetime.timedelta(seconds=ATTEMPT_SECONDS)
    return mail


def attempt(mail: Mail, sender: str, mailer: Mailer) -> Unavailable | None:
    """Hand the mail to `mailer`, outside of any unit of work. Returns what went wrong."""
    try:
        letter = Letter(mail.uuid, sender, mail.recipient, mail.subject, mail.text, mail.created_at)
        db.session.rollback()  # hold no reading while the mail server thinks
        mailer.send(letter)
    except Unavailable as error:
        return error
    return None


def settle(mail: Mail, attempts: int, failure: Unavailable | None) -> None:
    """Note how attempt number `attempts` went. Delivered or given up, the text is emptied."""
    db.session.refresh(mail, ["attempts", "due_at"], with_for_update=True)
    if mail.due_at is None or (failure and mail.attempts != attempts):
        return  # it took so long that another worker has the mail now
    if failure is None:
        mail.delivered_at, mail.failure = now(), ""
        _end(mail)
        return
    mail.failure = failure.sentence
    if failure.retry and attempts <= len(PATIENCE):
        mail.due_at = now() + datetime.timedelta(seconds=PATIENCE[attempts - 1])
    else:
        _end(mail)


def _end(mail: Mail) -> None:
    mail.due_at = None
    mail.text = ""


def remove_old_mails() -> None:
    """Forget what was delivered or given up 30 days after it was written."""
    limit = now() - datetime.timedelta(days=KEPT_DAYS)
    db.session.execute(delete(Mail).where(Mail.due_at.is_(None), Mail.created_at < limit))
