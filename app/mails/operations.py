"""Writing to the outbox, and delivering from it."""

from __future__ import annotations

import datetime

from app.adapters.job_queue import Queue
from app.adapters.mail import Letter, Mailer
from app.errors import Unavailable
from app.extensions import db, now
from app.jobs.queueing import enqueue_after_commit
from app.mails.models import Mail

DELIVER_JOB = "app.mails.jobs.deliver"
PATIENCE = (30, 120, 600, 3600, 4 * 3600, 12 * 3600, 24 * 3600)
"""Seconds to wait after each failed attempt; after the last one the mail is given up (RFC 5321,
4.5.4.1 asks for some days of trying)."""


def post_mail(recipient: str, subject: str, text: str) -> Mail:
    """Put a mail into the outbox. It leaves after the commit, and never if there is none."""
    mail = Mail(recipient=recipient, subject=subject, text=text, due_at=now())
    db.session.add(mail)
    db.session.flush()
    enqueue_after_commit(Queue.OPERATIONS, DELIVER_JOB, mail.id, key=f"mail-{mail.id}-0")
    return mail


def claim(mail: Mail) -> bool:
    """Take the mail for one attempt: nobody else tries meanwhile. False when it is not due.

    Belongs into a unit of work of its own, before the attempt.
    """
    moment = now()
    if mail.due_at is None or mail.due_at > moment:
        return False
    pause = PATIENCE[min(mail.attempts, len(PATIENCE) - 1)]
    mail.attempts += 1
    mail.due_at = moment + datetime.timedelta(seconds=pause)
    return True


def attempt(mail: Mail, sender: str, mailer: Mailer) -> Unavailable | None:
    """Hand the mail to `mailer`, outside of any unit of work. Returns what went wrong."""
    letter = Letter(mail.uuid, sender, mail.recipient, mail.subject, mail.text, mail.created_at)
    try:
        mailer.send(letter)
    except Unavailable as error:
        return error
    return None


def settle(mail: Mail, failure: Unavailable | None) -> None:
    """Note how the attempt went. Delivered or given up, the text is emptied."""
    is_last = mail.attempts > len(PATIENCE)
    if failure is None:
        mail.delivered_at = now()
    else:
        mail.failure = failure.sentence
    if failure is None or not failure.retry or is_last:
        mail.due_at = None
        mail.text = ""
