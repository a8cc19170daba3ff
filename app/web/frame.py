"""The frame of every page: security headers, error pages, and what all templates can use."""

from __future__ import annotations

import datetime
import zoneinfo

import humanize
from flask import Flask, Response, flash, redirect, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import DataError, OperationalError
from werkzeug.exceptions import HTTPException

from app.errors import Conflict, Invalid, PanelError
from app.extensions import now
from app.web.access import is_allowed
from app.web.assets import install_assets
from app.web.draining import drain
from app.web.languages import choose_language
from app.web.statuses import STATUSES


def install_frame(app: Flask) -> None:
    """Bind headers, error pages and template names to the app."""
    install_assets(app)
    app.after_request(_secure)
    app.register_error_handler(PanelError, _show_panel_error)
    app.register_error_handler(HTTPException, _show_http_error)
    app.register_error_handler(CSRFError, _show_stale_form)
    app.register_error_handler(OperationalError, _show_busy_database)
    app.register_error_handler(DataError, _show_unusable)
    app.register_error_handler(500, _show_broken)
    app.jinja_env.filters.update(
        ago=ago, exact=exact, clock=clock, iso=iso, bytes=human_bytes, seconds=human_seconds
    )
    app.jinja_env.globals.update(
        may=is_allowed, status_of=STATUSES, now=now, page_language=choose_language
    )
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True


def _secure(response: Response) -> Response:
    """Nothing from elsewhere, no framing, no guessing of types (pages.md: strict CSP)."""
    response.headers.setdefault(
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'; manifest-src 'self'",
    )
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "same-origin")
    response.headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    if response.mimetype == "text/html":
        response.headers.setdefault("Cache-Control", "no-store")
    return response


def _wants_page() -> bool:
    return request.accept_mimetypes.best_match(["text/html", "text/plain"]) == "text/html"


def _answer(status: int, sentence: str) -> ResponseReturnValue:
    if not _wants_page():
        return Response(sentence + "\n", status, mimetype="text/plain")
    return render_template("_layout/error.html", status=status, sentence=sentence), status


def _show_panel_error(error: PanelError) -> ResponseReturnValue:
    """A form that was refused goes back to its page with the sentence; the rest is a page."""
    is_form = request.method == "POST" and isinstance(error, Invalid | Conflict)
    back = request.referrer
    if is_form and back and back.startswith(request.host_url) and _wants_page():
        flash(error.sentence, "danger")
        return redirect(back, 303)
    return _answer(error.status, error.sentence)


def _show_http_error(error: HTTPException) -> ResponseReturnValue:
    if error.response is not None or (error.code or 500) < 400:
        return error.get_response()
    sentences = {
        403: _("You may not do that."),
        404: _("There is no such page."),
        405: _("This address does not take that kind of request."),
        413: _("That is larger than the limit."),
        429: _("Too many attempts. Wait a minute, then try again."),
    }
    code = error.code or 500
    if code == 413:
        drain()
    return _answer(code, sentences.get(code, error.description or error.name))


def _show_stale_form(error: CSRFError) -> ResponseReturnValue:
    return _answer(400, _("This form is too old. Go back, reload the page and send it again."))


def _show_busy_database(error: OperationalError) -> ResponseReturnValue:
    return _answer(503, _("The database is busy. Nothing was changed; try again in a moment."))


def _show_unusable(error: DataError) -> ResponseReturnValue:
    """PostgreSQL keeps no NUL character and no number beyond its type."""
    return _answer(400, _("That holds characters or numbers that cannot be used."))


def _show_broken(error: Exception) -> ResponseReturnValue:
    return _answer(500, _("Something broke on our side. Nothing was changed."))


def ago(moment: datetime.datetime | None) -> str:
    """How long ago, in words."""
    return humanize.naturaltime(now() - moment) if moment else ""


def exact(moment: datetime.datetime | None) -> str:
    """The moment in the person's own zone."""
    return _in_own_zone(moment).strftime("%Y-%m-%d %H:%M:%S %Z") if moment else ""


def clock(moment: datetime.datetime | None) -> str:
    """The time of day in the person's own zone; with the date when that is not today."""
    if moment is None:
        return ""
    there = _in_own_zone(moment)
    is_today = there.date() == _in_own_zone(now()).date()
    return there.strftime("%H:%M" if is_today else "%Y-%m-%d %H:%M")


def _in_own_zone(moment: datetime.datetime) -> datetime.datetime:
    return moment.astimezone(zoneinfo.ZoneInfo(getattr(current_user, "time_zone", "UTC")))


def iso(moment: datetime.datetime | None) -> str:
    return moment.isoformat() if moment else ""


def human_bytes(size: float) -> str:
    """`52428800` is “50.0 MiB”."""
    return humanize.naturalsize(size, binary=True)


def human_seconds(seconds: float | None) -> str:
    """`83.2` is “1 min 23 s”; below ten with one decimal."""
    if seconds is None:
        return "–"
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
