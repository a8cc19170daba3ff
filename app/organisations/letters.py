"""Mails about belonging to an organisation."""

from __future__ import annotations

from app.installation import installation
from app.mails.operations import post_mail
from app.organisations.models import Invitation
from app.permissions import Role

ROLE_WORDS = {
    Role.OWNER: "an owner: you work on everything and may change the organisation itself",
    Role.ADMINISTRATOR: "an administrator: you work on everything",
    Role.REGULAR: "a regular member: you see the applications you are given",
    Role.SITE_EDITOR: "a site editor: you see the sites you are given and change what they say",
}


def send_invitation(invitation: Invitation, token: str, days: int) -> None:
    """Mail the link with `token`. The text is the same whether or not there is an account."""
    name = invitation.organisation.name
    inviter = invitation.invited_by
    who = f"{inviter.name} ({inviter.email})" if inviter else "An owner"
    address = f"{installation().settings.panel_url}/invitations/{token}/"
    text = (
        "Hello,\n\n"
        f"{who} invites you to join {name} on Moonbase as\n"
        f"{ROLE_WORDS[invitation.role]}.\n\n"
        f"Open this address to accept; it works for {days} days, and only for\n"
        f"{invitation.email}:\n\n    {address}\n\n"
        "You sign in there, or make an account if you have none.\n\n"
        "If you do not know what this is about, do nothing: you are in no organisation unless\n"
        "you accept.\n\n"
        "Moonbase\n"
    )
    post_mail(invitation.email, f"{name}: an invitation to Moonbase", text)
