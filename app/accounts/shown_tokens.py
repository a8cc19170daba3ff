"""The access token that a program shows with a request, instead of signing in."""

from __future__ import annotations

from werkzeug.datastructures import Authorization

from app.accounts.models import AccessToken
from app.accounts.operations import USE_NOTED_EVERY, note_token_use
from app.accounts.queries import find_access_token
from app.audit.operations import acting_through
from app.errors import PanelError
from app.extensions import now
from app.names import fold_email
from app.transactions import unit_of_work


class NoToken(PanelError):
    """Nobody is known to ask."""

    status = 401


def demand_shown_token(given: Authorization | None) -> AccessToken:
    """The token of a program, by which its person acts from here on. Raises `NoToken`."""
    token = find_shown_token(given)
    if token is None:
        raise NoToken("Show an access token: “Authorization: Token …”.")
    acting_through(f"token {token.name}")
    return token


def find_shown_token(given: Authorization | None) -> AccessToken | None:
    """From `Authorization: Token …` (or `Bearer …`), or from `Basic`, where the user name must be
    the address of the token's person. Takes note of its use."""
    if given is None:
        return None
    if given.type in ("token", "bearer"):
        token = find_access_token(given.token) if given.token else None
    else:
        token = _find_by_password(given)
    if token is None:
        return None
    if token.last_used_at is None or now() - token.last_used_at > USE_NOTED_EVERY:
        with unit_of_work():
            note_token_use(token)
    return token


def _find_by_password(given: Authorization) -> AccessToken | None:
    if given.type != "basic" or not given.password:
        return None
    token = find_access_token(given.password)
    if token is None or token.user.email != fold_email(given.username or ""):
        return None
    return token
