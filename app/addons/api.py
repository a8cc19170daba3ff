"""The contract between Moonbase and addons, and the only module of the panel an addon may import.

An addon is one Python module, `plugin.py`, with functions marked `@hookimpl`. Each hook is asked
by itself, gets frozen dataclasses and gives frozen dataclasses; none of them reaches the database,
the network or another addon. A package that was uploaded is asked in a sandbox, one process a
question; those that come with Moonbase are asked in the panel. `docs/addons.md` has an example of
every hook.

Versions of this contract: an addon written for 1.x works with every later 1.y.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import pluggy

API_VERSION = "1.0"
PROJECT = "moonbase"

Value = str | int | bool | None | list[str]
"""What a setting may hold: the kinds of value that `settings.json` of real sites hold."""
Settings = Mapping[str, Value]

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class FieldType(StrEnum):
    """How a field is shown, and what its value is: text, `bool`, `int`, a choice's key, a path."""

    TEXT = "text"
    LONG_TEXT = "long-text"
    CHECKBOX = "checkbox"
    NUMBER = "number"
    SELECT = "select"
    FILE = "file"


class Visibility(StrEnum):
    """Whom a field is for: shown at once, folded away, or folded away with a warning."""

    PUBLIC = "public"
    ADVANCED = "advanced"
    DANGEROUS = "dangerous"


class Slot(StrEnum):
    """Where in the Dockerfile a fragment goes: the tagged section of the same name, in this order.

    `SYSTEM` is the end of `<DOCKER_FROM>`: packages of the operating system.
    """

    DOCKER_FROM = "docker-from"
    SYSTEM = "system"
    NODE = "node"
    NPM = "npm"
    BOWER = "bower"
    PYTHON = "python"
    SOURCE = "source"
    GULP = "gulp"
    STATIC = "static"


class ServiceKind(StrEnum):
    """What an addon may ask the platform for."""

    POSTGRESQL = "postgresql"
    MYSQL = "mysql"
    OBJECT_STORAGE = "object-storage"
    RABBITMQ = "rabbitmq"
    REDIS = "redis"
    SEARCH = "search"


@dataclass(frozen=True)
class Rights:
    """What a package asks for. It is shown at the installation, the package is held to it, and
    people are asked again when an upgrade widens it."""

    reads_variables: tuple[str, ...] = ()
    writes_variables: tuple[str, ...] = ()
    slots: tuple[Slot, ...] = ()
    services: tuple[ServiceKind, ...] = ()
    processes: tuple[str, ...] = ()
    """Names of processes that run beside the site."""
    files: tuple[str, ...] = ()
    """Paths of the files it puts into the repository, apart from `addons/<name>/`; a path ending
    in `/` stands for all below it."""
    has_release_commands: bool = False
    has_requirements: bool = False


@dataclass(frozen=True)
class AddonInfo:
    """Who the addon is. `name` is for people, `package_name` for machines (`a-z 0-9 -`)."""

    package_name: str
    name: str
    version: str
    summary: str
    """One sentence for people who do not program."""
    licence: str = ""
    author: str = ""
    categories: tuple[str, ...] = ()
    rights: Rights = field(default_factory=Rights)
    needs: tuple[str, ...] = ()
    """Package names of addons that must be installed as well."""
    changes: str = ""
    """What is new in this version."""


@dataclass(frozen=True)
class Field:
    """One field of the settings form.

    `variable` names the environment variable that carries the value; a field that `is_secret` must
    have one: its value goes there and nowhere else, never into Git. Lengths are characters.
    """

    name: str
    label: str
    type: FieldType = FieldType.TEXT
    required: bool = True
    help_text: str = ""
    initial: Value = None
    choices: tuple[tuple[str, str], ...] = ()
    min_length: int | None = None
    max_length: int | None = None
    min_value: int | None = None
    max_value: int | None = None
    extensions: tuple[str, ...] = ()
    variable: str = ""
    is_secret: bool = False
    is_read_only: bool = False
    visibility: Visibility = Visibility.PUBLIC


@dataclass(frozen=True)
class Site:
    """What a hook is told of the site it contributes to. Secrets are never among the settings:
    a secret field holds `True` when it is set, `False` when not."""

    name: str
    slug: str
    stage: str
    """`test`, `live`, …; empty where the repository is meant, which is the same for all."""
    settings: Settings
    files: frozenset[str] = frozenset()
    """Paths of the files at the top of the repository."""
    addons: tuple[str, ...] = ()
    """Package names of all installed addons, in the order of their installation."""


@dataclass(frozen=True)
class Variable:
    """One environment variable of the site's containers. A variable set by people wins over it."""

    name: str
    value: str


@dataclass(frozen=True)
class Requirement:
    """One line for pip, e.g. `gunicorn==23.0.0`."""

    line: str


@dataclass(frozen=True)
class Fragment:
    """Lines for one section of the Dockerfile. They may hold no `FROM` outside of `DOCKER_FROM`,
    and no section tags; the smaller `order` comes first."""

    slot: Slot
    text: str
    order: int = 100


@dataclass(frozen=True)
class ReleaseCommand:
    """Runs in a fresh container of the new image before it serves, e.g. migrations."""

    label: str
    command: str


@dataclass(frozen=True)
class Service:
    """A service the addon needs. `options` are its own, e.g. `{"extensions": "hstore,citext"}`."""

    kind: ServiceKind
    prefix: str = "DEFAULT"
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Process:
    """A process beside the web server, from the same image."""

    name: str
    command: str
    count: int = 1


@dataclass(frozen=True)
class NavigationItem:
    """A link on the site's page in the panel, to a page of the site itself."""

    label: str
    path: str
    """Below the site's address, beginning with `/`."""


@dataclass(frozen=True)
class File:
    """A file for the repository.

    Written once, at the first installation, where there is none of that path; or, when
    `is_managed`, rewritten with each change of the addon: then it lies below `addons/<name>/`.
    """

    path: str
    text: str
    is_managed: bool = False
    is_executable: bool = False


class SettingsError(Exception):
    """Raised by `clean_settings`: sentences for people, by the name of the field; the key `""`
    stands for the form as a whole."""

    def __init__(self, sentences: Mapping[str, str]) -> None:
        super().__init__("; ".join(sentences.values()))
        self.sentences = dict(sentences)


class Hooks:
    """What an addon may implement. All are optional but `addon_info`."""

    @hookspec
    def addon_info(self) -> AddonInfo:
        """Fires once, when the addon is uploaded or found: who it is and what it asks for."""
        raise NotImplementedError

    @hookspec
    def settings_form(self) -> tuple[Field, ...]:
        """Fires once, when the addon is uploaded or found: the fields of its form, in order. The
        answer is kept; a form cannot change from one look to the next."""
        raise NotImplementedError

    @hookspec
    def clean_settings(self, settings: Settings) -> Settings:
        """Fires when a person saves the form, after each field's own limits were checked. Gives
        the settings as they are to be kept, or raises `SettingsError`."""
        raise NotImplementedError

    @hookspec
    def contribute_variables(self, site: Site) -> tuple[Variable, ...]:
        """Fires at each deployment: environment variables, besides those that fields name."""
        raise NotImplementedError

    @hookspec
    def contribute_requirements(self, site: Site) -> tuple[Requirement, ...]:
        """Fires when the addon is installed, saved, upgraded or removed: lines for pip, between
        the tags of `requirements.in`."""
        raise NotImplementedError

    @hookspec
    def contribute_dockerfile(self, site: Site) -> tuple[Fragment, ...]:
        """Fires at each of those changes and at each deployment: parts of the Dockerfile."""
        raise NotImplementedError

    @hookspec
    def contribute_release_commands(self, site: Site) -> tuple[ReleaseCommand, ...]:
        """Fires at each deployment: commands that run before the people's own."""
        raise NotImplementedError

    @hookspec
    def contribute_services(self, site: Site) -> tuple[Service, ...]:
        """Fires at each deployment: services the site cannot do without."""
        raise NotImplementedError

    @hookspec
    def contribute_processes(self, site: Site) -> tuple[Process, ...]:
        """Fires at each deployment: processes that run beside the web server."""
        raise NotImplementedError

    @hookspec
    def contribute_navigation(self, site: Site) -> tuple[NavigationItem, ...]:
        """Fires when the site's page is shown: links into the site, e.g. to its admin."""
        raise NotImplementedError

    @hookspec
    def contribute_files(self, site: Site) -> tuple[File, ...]:
        """Fires when the addon is installed, saved or upgraded: files for the repository."""
        raise NotImplementedError
