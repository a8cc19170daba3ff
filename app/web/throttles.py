"""Limits that several rooms share: one budget for a person, wherever it is spent."""

from __future__ import annotations

from flask_limiter.util import get_remote_address
from flask_login import current_user

from app.web.extensions import limiter


def asking_person() -> str:
    """Whose acts are counted together. Limits are asked before the guard: there may be nobody."""
    number = getattr(current_user, "id", None)
    return f"person:{number}" if number else f"address:{get_remote_address()}"


throttle_uploads = limiter.shared_limit(
    "20 per minute; 200 per hour", scope="addon-uploads", key_func=asking_person, methods=["POST"]
)
"""Of addon packages: each is unpacked and loaded in a sandbox, which takes seconds."""

throttle_passwords = limiter.shared_limit(
    "8 per minute", scope="password-again", key_func=asking_person, methods=["POST"]
)
"""Of a signed-in person whose own password is asked again: a browser left open is no place to
guess it, on whichever page."""
