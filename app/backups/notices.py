"""Letters about backups: what failed, what is missing, what somebody asks for."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import and_, select

from app.accounts.models import FailureNotices, User
from app.applications.models import Application, Collaborator
from app.backups.content import backups_url
from app.backups.models import Backup, BackupPart, Restoration
from app.environments.models import Environment
from app.extensions import db
from app.installation import installation
from app.mails.operations import post_mail
from app.organisations.models import Member
from app.organisations.second_factor import lets_in
from app.permissions import Permission, Role, rights_of

LETTER = """\
Hello {name},

{text}

All backups of {site}, environment {environment}:

    {link}
{end}
Moonbase
"""
CHOICE = """
You choose in your profile of which failures you hear: {panel}/account/
"""
FAILED = """\
a backup of {site}, environment {environment}, has failed.

    {sentence}

What is stored of it is not shown as good. Older backups are as they were."""
UNPROVED = """\
a backup of {site}, environment {environment}, could not be proved restorable.

    {sentence}

It was restored into a throw-away place and compared, as every scheduled backup is. Take a new
backup now, and look at what it says."""
ABSENT = """\
{site}, environment {environment}, has no fresh backup: none was taken in the last 26 hours that is
whole. The newest good one: {newest}.

Look at why, or take one now."""
NOT_RESTORED = """\
a restore into {service} of {site}, environment {environment}, has failed.

    {sentence}"""
ASKED = """\
{person} ({email}) asks you to restore a backup of {site}, environment {environment}: {part},
taken {taken}.

{words}

Restoring overwrites what is there now; a safety backup is taken first."""


def tell_of_failed_backup(backup: Backup) -> None:
    """Belongs into the unit of work that closes it, which happens once."""
    _tell(
        backup.environment,
        "backup of {environment} failed",
        FAILED,
        backup.actor_id,
        sentence=backup.sentence or "It is not known why.",
    )


def tell_of_failed_proof(backup: Backup) -> None:
    """That a drill found a backup not restorable (N4)."""
    _tell(
        backup.environment,
        "backup of {environment} is not restorable",
        UNPROVED,
        backup.actor_id,
        sentence=backup.proof_sentence,
    )


def tell_of_absence(environment: Environment, newest: Backup | None) -> None:
    """That there is no fresh backup, which no failure may have told of: nothing may have run."""
    when = f"{newest.created_at:%Y-%m-%d %H:%M} UTC" if newest else "there is none"
    _tell(environment, "{environment} has no fresh backup", ABSENT, None, newest=when)


def tell_of_failed_restoration(row: Restoration) -> None:
    _tell(
        row.instance.environment,
        "restore into {environment} failed",
        NOT_RESTORED,
        row.actor_id,
        sentence=row.sentence,
        service=row.instance.name,
    )


def ask_for_restore(part: BackupPart, actor: User, words: str) -> int:
    """One letter to each person who may restore; returns how many."""
    environment = part.backup.environment
    facts = {
        "person": actor.name,
        "email": actor.email,
        "part": f"{part.content} ({part.prefix})",
        "taken": f"{part.backup.created_at:%Y-%m-%d %H:%M} UTC",
        "words": "\n".join(f"    {line}" for line in words.splitlines()),
    }
    people = [user for user, _ in _people(environment.application, Permission.BACKUPS_RESTORE)]
    subject = "{person} asks for a restore of {environment}"
    for user in people:
        _post(user, environment, subject, ASKED, facts)
    return len(people)


def _tell(
    environment: Environment, subject: str, text: str, actor_id: int | None, **facts: str
) -> None:
    """Those who want to hear of every failure, who asked for it, and, of what nobody asked for,
    also owners and administrators: lost data is found out too late otherwise."""
    for user, role in _people(environment.application, Permission.BACKUPS_CREATE):
        is_own = user.id == actor_id
        is_nobodys = actor_id is None and role in (Role.OWNER, Role.ADMINISTRATOR)
        wanted = user.failure_notices
        if wanted == FailureNotices.ALL or (
            wanted == FailureNotices.OWN and (is_own or is_nobodys)
        ):
            _post(user, environment, subject, text, facts)


def _post(
    user: User, environment: Environment, subject: str, text: str, facts: dict[str, str]
) -> None:
    site = environment.application.name
    known = {**facts, "site": site, "environment": environment.name}
    letter = LETTER.format(
        name=user.name,
        text=text.format(**known),
        site=site,
        environment=environment.name,
        link=backups_url(environment),
        end="" if text == ASKED else CHOICE.format(panel=installation().settings.panel_url),
    )
    post_mail(user.email, f"{site}: {subject.format(**known)}", letter)


def _people(application: Application, needed: Permission) -> Sequence[tuple[User, Role]]:
    """Members with a right on the application whom its organisation lets in, with their roles."""
    given = and_(Collaborator.member_id == Member.id, Collaborator.application_id == application.id)
    rows = db.session.execute(
        select(User, Member.role, Collaborator.access)
        .join(Member, Member.user_id == User.id)
        .outerjoin(Collaborator, given)
        .where(Member.organisation_id == application.organisation_id)
        .order_by(User.id)
    )
    return [
        (user, role)
        for user, role, access in rows
        if needed in rights_of(role, access) and lets_in(application.organisation, user)
    ]
