"""Telling people by mail that a deployment has failed (G4)."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import and_, or_, select

from app.accounts.models import FailureNotices, User
from app.applications.models import Application, Collaborator
from app.deployments.models import Deployment, DeploymentKind
from app.extensions import db
from app.installation import installation
from app.mails.operations import post_mail
from app.organisations.models import Member
from app.organisations.second_factor import lets_in
from app.permissions import Permission, rights_of

LETTER = """\
Hello {name},

the {what} of {site}, environment {environment}, has failed.

    {sentence}
{advice}
Commit {commit} {subject}
The site runs on as it was before.

All steps and the log:

    {link}

You choose in your profile of which failures you hear: {profile}

Moonbase
"""


def tell_of_failure(deployment: Deployment) -> None:
    """One mail to each person who wants to know. Belongs into the unit of work that closes the
    deployment, which happens once, so that a recovery that runs twice tells nobody twice."""
    environment = deployment.environment
    application = environment.application
    settings = installation().settings
    facts = {
        "what": "roll back" if deployment.kind == DeploymentKind.ROLL_BACK else "deployment",
        "site": application.name,
        "environment": environment.name,
        "sentence": deployment.sentence or "It is not known why.",
        "advice": f"    {deployment.advice}\n" if deployment.advice else "",
        "commit": deployment.commit[:7],
        "subject": f"“{deployment.subject}”" if deployment.subject else "",
        "link": f"{settings.panel_url}/applications/{application.slug}/deployments/"
        f"{deployment.uuid}/",
        "profile": f"{settings.panel_url}/account/",
    }
    subject = f"{application.name}: deployment to {environment.name} failed"
    for user in list_readers(environment.application, deployment.actor_id):
        post_mail(user.email, subject, LETTER.format(name=user.name, **facts))


def list_readers(application: Application, actor_id: int | None) -> Sequence[User]:
    """Whom to tell of a failure: who asked for it or pushed, if they may still look at it, and
    those who may work on the application and want to hear of all."""
    wanted = or_(
        User.failure_notices == FailureNotices.ALL,
        and_(User.id == actor_id, User.failure_notices == FailureNotices.OWN),
    )
    given = and_(Collaborator.member_id == Member.id, Collaborator.application_id == application.id)
    rows = db.session.execute(
        select(User, Member.role, Collaborator.access)
        .join(Member, Member.user_id == User.id)
        .outerjoin(Collaborator, given)
        .where(Member.organisation_id == application.organisation_id, wanted)
        .order_by(User.id)
    )
    readers = []
    for user, role, access in rows:
        is_own = user.id == actor_id
        needed = Permission.DEPLOYMENT_READ if is_own else Permission.DEPLOYMENT_CREATE
        if needed in rights_of(role, access) and lets_in(application.organisation, user):
            readers.append(user)
    return readers
