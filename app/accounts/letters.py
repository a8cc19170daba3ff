"""Mails that tell a person what has just been done to their account."""

from __future__ import annotations

from app.accounts.models import User
from app.installation import installation
from app.mails.operations import post_mail


def tell_of_change(user: User, what: str) -> None:
    """Tell the person by mail; `what` is a sentence without its full stop."""
    address = f"{installation().settings.panel_url}/account/sessions/"
    text = (
        f"Hello {user.name},\n\n"
        f"{what}: {user.email}.\n\n"
        "If that was you, there is nothing to do.\n\n"
        "If it was not: change your password, then look at where you are signed in, and sign out\n"
        f"what you do not know:\n\n    {address}\n\n"
        "Moonbase\n"
    )
    post_mail(user.email, what, text)
