"""What all views of the API share: blueprints, bodies, pages, addresses, and errors as JSON."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, jsonify, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import Select, func, select
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from app.accounts.shown_tokens import NoToken
from app.errors import Conflict, Invalid, PanelError
from app.extensions import db
from app.installation import installation
from app.web.draining import drain

BODY_BYTES = 64 * 1024
PAGE_SIZE = 100
"""Clients look at the first page of some lists only."""
MOST_PER_PAGE = 500
TOO_LARGE = "What was sent is larger than {:,} bytes."


def make_blueprint(name: str) -> Blueprint:
    """A blueprint whose errors are JSON and whose bodies are short."""
    blueprint = Blueprint(name, __name__)
    blueprint.url_value_preprocessor(_limit_body)
    blueprint.register_error_handler(PanelError, show_panel_error)
    blueprint.register_error_handler(HTTPException, show_http_error)
    return blueprint


def _limit_body(endpoint: str | None, values: object) -> None:
    """A file that is pushed is a body too, and the one that is sent with PUT."""
    most = installation().settings.push_bytes if request.method == "PUT" else BODY_BYTES
    request.max_content_length = most


def show_panel_error(error: PanelError) -> ResponseReturnValue:
    """Sentences where clients look for them: by field, or as `detail`."""
    drain()
    if isinstance(error, Invalid | Conflict):
        field = getattr(error, "field", None) or "non_field_errors"
        answer = jsonify({field: [error.sentence]})
    else:
        answer = jsonify(detail=error.sentence)
    answer.status_code = 400 if isinstance(error, Conflict) else error.status
    if isinstance(error, NoToken):
        answer.headers["WWW-Authenticate"] = "Token"
    return answer


def show_http_error(error: HTTPException) -> ResponseReturnValue:
    drain()
    if isinstance(error, RequestEntityTooLarge):
        sentence = TOO_LARGE.format(request.max_content_length or 0)
        return jsonify(non_field_errors=[sentence]), 413
    return jsonify(detail=error.description), error.code or 500


class Body:
    """The JSON of a request. What is not there is empty; what is of another kind is `Invalid`."""

    def __init__(self) -> None:
        given = request.get_json(silent=True)
        self._given: dict[str, object] = given if isinstance(given, dict) else {}

    def text(self, name: str) -> str:
        value = self._given.get(name)
        if value is not None and not isinstance(value, str):
            raise Invalid("This must be a text.", name)
        return value or ""

    def texts(self, name: str) -> list[str]:
        value = self._given.get(name) or []
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise Invalid("This must be a list of texts.", name)
        return value

    def single(self, name: str) -> object:
        """The one thing of a list."""
        value = self._given.get(name)
        if not isinstance(value, list) or len(value) != 1:
            raise Invalid("This must be a list of one.", name)
        return value[0]

    def moment(self, name: str) -> datetime.datetime | None:
        """ISO 8601 with a zone."""
        text = self.text(name)
        try:
            found = datetime.datetime.fromisoformat(text) if text else None
        except ValueError as error:
            raise Invalid("This must be a moment like “2026-11-22T03:00:00Z”.", name) from error
        if found is not None and found.tzinfo is None:
            raise Invalid("This moment needs a zone: end it with “Z” or “+00:00”.", name)
        return found


def listed(query: Select[Any], show: Callable[[Any], Mapping[str, object]]) -> ResponseReturnValue:
    """The page that `?page=` and `?page_size=` ask for."""
    size = min(max(_number("page_size", PAGE_SIZE), 1), MOST_PER_PAGE)
    count = select(func.count()).select_from(query.order_by(None).subquery())
    total = db.session.scalar(count) or 0
    page = min(max(_number("page", 1), 1), max(1, -(-total // size)))
    rows = db.session.scalars(query.limit(size).offset((page - 1) * size)).all()
    return jsonify(
        count=total,
        next=_page_address(page + 1) if page * size < total else None,
        previous=_page_address(page - 1) if page > 1 else None,
        results=[show(row) for row in rows],
    )


def _number(name: str, otherwise: int) -> int:
    text = request.args.get(name, "")
    return int(text) if text.isdecimal() and len(text) < 9 else otherwise


def _page_address(page: int) -> str:
    """This request's own, of another page."""
    given = {**request.args.to_dict(flat=False), "page": [str(page)]}
    values: dict[str, Any] = {**(request.view_args or {}), **given}
    return address(str(request.endpoint), **values)


def address(endpoint: str, **values: Any) -> str:
    """Where a client that came by this address finds something."""
    scheme = "https" if installation().settings.is_https else request.scheme
    return url_for(endpoint, _external=True, _scheme=scheme, **values)
