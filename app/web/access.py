"""The guard on every endpoint: it names the right it needs, and cannot forget to ask for it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import wraps
from typing import Any, TypeVar, cast

from flask import Flask, current_app, g
from flask.typing import ResponseReturnValue
from flask_login import UserMixin, current_user
from werkzeug.exceptions import Forbidden

from app.errors import NotAllowed, NotFound
from app.permissions import Permission

View = TypeVar("View", bound=Callable[..., Any])


def requires(permission: Permission) -> Callable[[View], View]:
    """Mark a view as needing `permission`: the person must be signed in, and one of the `load_…`
    functions must have checked it by the time the view returns, or the answer is withheld."""

    def guard(view: View) -> View:
        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> ResponseReturnValue:
            if not cast(UserMixin, current_user).is_authenticated:
                answer: ResponseReturnValue = current_app.login_manager.unauthorized()  # type: ignore[attr-defined]
                return answer
            g.required_permission = permission
            g.is_authorised = permission == Permission.ACCOUNT_OWN
            result: ResponseReturnValue = view(*args, **kwargs)
            if not g.is_authorised:
                raise Forbidden(f"{view.__name__} answered without checking {permission}")
            return result

        guarded.permission = permission  # type: ignore[attr-defined]
        return guarded  # type: ignore[return-value]

    return guard


def public(view: View) -> View:
    """Mark a view as open to everybody."""
    view.is_public = True  # type: ignore[attr-defined]
    return view


def authorise(rights: Collection[Permission]) -> None:
    """Let the request go on if `rights` hold what its endpoint requires, or raise `NotAllowed`."""
    if g.required_permission not in rights:
        raise NotAllowed("This is more than you may do here. Ask an owner for more access.")
    g.is_authorised = True


def is_allowed(rights: Collection[Permission], name: str) -> bool:
    """For templates: whether to offer an act."""
    return Permission(name) in rights


def hide(kind: str) -> NotFound:
    """The same answer for what is not there and what is none of the person's business."""
    return NotFound(f"There is no such {kind}, or you have no access to it.")


def unguarded_endpoints(app: Flask) -> list[str]:
    """Endpoints that name no right and are not marked public; a test wants this empty."""
    return [
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if not hasattr(app.view_functions[rule.endpoint], "permission")
        and not getattr(app.view_functions[rule.endpoint], "is_public", False)
        and not rule.endpoint.endswith("static")
    ]
