"""People around the agency: who is invited, and a site editor in two organisations."""

from __future__ import annotations

import datetime

from app.accounts.models import User
from app.accounts.operations import create_user
from app.accounts.queries import hash_token
from app.applications.models import Application, Starter
from app.applications.operations import add_collaborator
from app.applications.queries import find_application
from app.extensions import now
from app.installation import installation
from app.lifecycle.operations import NewApplication, create_application
from app.organisations.invitations import invite
from app.organisations.operations import add_member, create_organisation
from app.permissions import Access, Role
from tests.browser.panel import PASSWORD

EDITOR = "leo@riverside.example"
NEW, KNOWN, EXPIRED = "invites-somebody-new", "invites-somebody-known", "has-expired"
"""What the links of the invitations carry."""


def seed_people(site: Application, owner: User, other: User) -> None:
    """Invitations in every state, and somebody who edits `site` and one that is not live, but has
    yet to set up the second factor that an organisation of `other` asks for."""
    create_user(EDITOR, "Leo Marchetti", PASSWORD)
    for email, role, token in (
        ("nora@northlight.example", Role.ADMINISTRATOR, NEW),
        ("jo@northlight.example", Role.REGULAR, KNOWN),
        ("tom@harbour.example", Role.SITE_EDITOR, EXPIRED),
    ):
        row = invite(site.organisation, email, role, owner)
        row.token_hash = hash_token(token)
        if token == EXPIRED:
            row.sent_at, row.expires_at = now() - datetime.timedelta(days=9), now()
    create_user("jo@northlight.example", "Jo Lind", PASSWORD)
    another, closed = find_application("velo-workshop"), _closed_site(other)
    assert another is not None
    for application, by in ((site, owner), (closed, other)):
        add_member(application.organisation, EDITOR, Role.SITE_EDITOR, by)
    for application in (site, another, closed):
        add_collaborator(application, EDITOR, Access.EDITOR, owner)
    closed.organisation.requires_second_factor = True


def _closed_site(owner: User) -> Application:
    here = installation()
    wanted = NewApplication("Harbour Lights", "harbour-lights", Starter.STATIC)
    trust = create_organisation("Harbour Trust", owner)
    return create_application(wanted, trust, owner, here.adapters.repositories, here.settings)
