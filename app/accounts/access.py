"""Who is asking: the signed-in person of a request."""

from __future__ import annotations

from typing import cast

from flask_login import current_user

from app.accounts.models import User


def signed_in() -> User:
    """The person of this request; the endpoint's guard has made sure that there is one."""
    return cast(User, current_user._get_current_object())
