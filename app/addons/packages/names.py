"""Names of packages: what may be one, and which look like one that is there."""

from __future__ import annotations

import re

from sqlalchemy import or_, select

from app.addons.models import Addon
from app.errors import Invalid
from app.extensions import db

NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
NAME_LENGTH = 60
RESERVED = frozenset("new addon addons marketplace moonbase upload install packages app".split())
"""Addresses of pages, and names that people would take for the platform's own."""
_LOOK_ALIKES = str.maketrans({"1": "l", "i": "l", "0": "o", "-": None})


def clean_package_name(text: str, field: str = "package_name") -> str:
    """A package name as it is kept: `a-z 0-9`, single dashes, a letter first.

    Raises `Invalid` with the spelling that would do, for one that differs in case, dots or
    underscores.
    """
    name = text.strip()
    if not name:
        raise Invalid("A package name is needed, e.g. “susan-example-application”.", field)
    if len(name) > NAME_LENGTH:
        raise Invalid(f"A package name has at most {NAME_LENGTH} characters.", field)
    if name in RESERVED:
        raise Invalid(f"“{name}” is reserved for the platform. Choose another.", field)
    if NAME.fullmatch(name):
        return name
    better = re.sub(r"[-_. ]+", "-", name.lower()).strip("-")
    hint = f" Call it “{better}”." if NAME.fullmatch(better) else ""
    if "_" in name:
        raise Invalid(f"A package name must not contain underscores.{hint}", field)
    raise Invalid(
        "A package name is made of small letters, digits and single dashes, and begins with a "
        f"letter.{hint}",
        field,
    )


def fold_name(name: str) -> str:
    """The name with look-alikes made one, as `Addon.folded_name` keeps it."""
    return name.translate(_LOOK_ALIKES)


def inner_name(package_name: str) -> str:
    """What its Python module must be called for its templates to be found."""
    return package_name.replace("-", "_")


def demand_free_name(name: str, field: str = "package_name") -> None:
    """Raise `Invalid` when another addon has the name, or one that looks the same."""
    found = db.session.scalars(
        select(Addon.package_name).where(
            or_(Addon.package_name == name, Addon.folded_name == fold_name(name))
        )
    ).all()
    if name in found:
        raise Invalid(f"“{name}” is taken. Choose another package name.", field)
    if found:
        # Which one is not said: it may be nobody's business.
        raise Invalid(
            f"“{name}” looks too much like the name of another addon. Choose one that nobody can "
            "take for it.",
            field,
        )
