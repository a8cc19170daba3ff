"""Delivering a mail: what a worker is asked to do. The job carries the row's number only."""

from __future__ import annotations

from app.extensions import db
from app.installation import installation
from app.mails import operations
from app.mails.models import Mail
from app.transactions import unit_of_work


def deliver(mail_id: int) -> None:
    """One attempt, if it is due. A worker that dies in it leaves the mail to the next attempt:
    rather twice than never."""
    with unit_of_work():
        mail = db.session.get(Mail, mail_id)
        if mail is None or not operations.claim(mail):
            return
    here = installation()
    failure = operations.attempt(mail, here.settings.mail_sender, here.adapters.mailer)
    with unit_of_work():
        operations.settle(mail, failure)
