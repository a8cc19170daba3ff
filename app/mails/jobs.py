"""Delivering a mail: what a worker is asked to do. The job carries the row's number only."""

from __future__ import annotations

from app.installation import installation
from app.mails import operations
from app.transactions import unit_of_work


def deliver(mail_id: int) -> None:
    """One attempt, if it is due. A worker that dies in it leaves the mail to the next attempt:
    rather twice than never."""
    with unit_of_work():
        mail = operations.claim(mail_id)
        number = mail.attempts if mail else 0
    if mail is None:
        return
    here = installation()
    failure = operations.attempt(mail, here.settings.mail_sender, here.adapters.mailer)
    with unit_of_work():
        operations.settle(mail, number, failure)


def forget_old() -> None:
    """Forget old mails."""
    with unit_of_work():
        operations.remove_old_mails()
