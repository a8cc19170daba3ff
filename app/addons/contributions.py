"""What addons add to a site: one package's contribution, and the merging of many."""

from __future__ import annotations

from dataclasses import dataclass

from app.addons import api


@dataclass(frozen=True)
class Contribution:
    """All that one package answered for one site."""

    variables: tuple[api.Variable, ...] = ()
    requirements: tuple[api.Requirement, ...] = ()
    fragments: tuple[api.Fragment, ...] = ()
    release_commands: tuple[api.ReleaseCommand, ...] = ()
    services: tuple[api.Service, ...] = ()
    processes: tuple[api.Process, ...] = ()
    navigation: tuple[api.NavigationItem, ...] = ()
    files: tuple[api.File, ...] = ()
