"""What addons bring to a site, for the pages of this room.

The room of addons lies above this one, so it is the factory that hands in who tells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, cast

from flask import current_app

from app.applications.models import Application
from app.environments.models import Environment

EXTENSION = "moonbase-brought"


@dataclass(frozen=True)
class BroughtCommand:
    """A release command; it runs before those of people."""

    label: str
    command: str
    addon: str
    """The addon's name for people."""


@dataclass(frozen=True)
class BroughtVariable:
    """What a field of an addon's form sets."""

    value: str
    addon: str


@dataclass(frozen=True)
class NothingBrought:
    """For an app without addons."""

    no_variables: Mapping[str, BroughtVariable] = field(default_factory=dict)

    def commands(self, application: Application) -> Sequence[BroughtCommand]:
        return ()

    def variables(self, environment: Environment) -> Mapping[str, BroughtVariable]:
        return self.no_variables


class Teller(Protocol):
    """Tells from stored facts; asks no addon."""

    def commands(self, application: Application) -> Sequence[BroughtCommand]:
        """In the order in which they run."""
        ...

    def variables(self, environment: Environment) -> Mapping[str, BroughtVariable]:
        """By name, as far as they are known before a deployment."""
        ...


def teller() -> Teller:
    """Whoever tells in the present app."""
    return cast(Teller, current_app.extensions.get(EXTENSION, NothingBrought()))
