"""The session cookie: how a browser gets signed in, half signed in, and out again.

The cookie is signed, not secret, and holds no rights of its own: signed in, it carries the key of a
`SignIn` row; half signed in, the note that a password was right, which opens the second step only.
"""

from __future__ import annotations

import hashlib
import logging
import time
from contextlib import suppress
from dataclasses import asdict, dataclass

from flask import Response, g, request, session, url_for
from flask_login import login_user, logout_user
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm.exc import ObjectDeletedError

from app.accounts.access import present_sign_in
from app.accounts.models import User
from app.accounts.second_factor import Shown, accept_second_factor
from app.accounts.sign_ins import (
    SEEN_EVERY,
    Visitor,
    end_sign_in,
    note_visit,
    open_sign_in,
    record_sign_in,
)
from app.errors import Conflict
from app.extensions import db, now
from app.transactions import unit_of_work

HALF_SECONDS = 10 * 60
"""How long a right password waits for its second factor."""
_HALF = "half_signed_in"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class HalfSignedIn:
    """Somebody whose password was right and whose second factor is awaited."""

    user_id: int
    since: float
    mark: str
    """Of the password that was given: a changed one ends the waiting."""
    is_kept: bool
    target: str
    """Where to go afterwards; a local address."""


def enter(user: User, *, is_kept: bool = False, shown: Shown | None = None) -> None:
    """Sign this browser in: a row, its key in the cookie. Raises `Invalid` when the second factor
    in `shown` is not right; nothing has changed then. Opens a unit of work of its own."""
    before = present_sign_in()
    visitor = Visitor(request.remote_addr or "", request.user_agent.string)
    with unit_of_work():
        if shown is not None:
            accept_second_factor(user, shown)
        if before is not None:
            end_sign_in(before)
        has_factor = shown is not None
        key = open_sign_in(user, visitor, is_kept=is_kept, has_second_factor=has_factor)
        record_sign_in(user, has_second_factor=has_factor)
    session.pop(_HALF, None)
    session.permanent = is_kept
    user.sign_in_key = key
    login_user(user)


def let_in(user: User, *, is_kept: bool, target: str) -> str:
    """The password was right: sign in, or wait for the second factor. Returns where to go next;
    `target`, in the end."""
    if not user.has_second_factor:
        enter(user, is_kept=is_kept)
        return target
    half = HalfSignedIn(user.id, time.time(), _mark(user), is_kept, target)
    session[_HALF] = asdict(half)
    return url_for("security.second_step")


def leave() -> None:
    """Sign this browser out. Opens a unit of work of its own."""
    sign_in = present_sign_in()
    if sign_in is not None:
        # Sent twice at once, the form finds the row gone: out is out.
        with suppress(Conflict), unit_of_work():
            end_sign_in(sign_in)
    logout_user()
    session.clear()


def half_signed_in() -> tuple[User, HalfSignedIn] | None:
    """Who waits in this browser for their second factor; None after ten minutes."""
    half = HalfSignedIn(**session[_HALF]) if _HALF in session else None
    if half is None or time.time() - half.since > HALF_SECONDS:
        return None
    user = db.session.get(User, half.user_id)
    return (user, half) if user and _mark(user) == half.mark else None


def _mark(user: User) -> str:
    return hashlib.sha256(user.password_hash.encode()).hexdigest()[:16]


def note_presence(response: Response) -> Response:
    """After each request: write down, every few minutes, that the browser is in use.

    That somebody was here is not worth a page: when the database does not take it, it is lost.
    """
    sign_in = g.get("sign_in")
    # What a script fetches again and again (Sec-Fetch-Dest: empty) is nobody's presence.
    is_page = request.headers.get("Sec-Fetch-Dest", "document") == "document"
    if sign_in is None or request.method != "GET" or not is_page:
        return response
    try:
        if now() - sign_in.seen_at >= SEEN_EVERY:
            db.session.rollback()  # whatever the view read and left behind
            with unit_of_work():
                note_visit(sign_in.id)
            session.modified = True  # a cookie that is kept gets its days anew
    except (DBAPIError, ObjectDeletedError, Conflict) as error:
        _log.warning("A visit was not noted: %s", type(error).__name__)
    return response
