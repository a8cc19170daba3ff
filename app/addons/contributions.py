"""What addons add to a site: one package's contribution, and the merging of many.

The order is fixed: that of the installation. Nothing is overwritten in silence: two addons that
want the same thing are a conflict.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, TypeVar

import msgspec
from packaging.requirements import InvalidRequirement
from packaging.requirements import Requirement as Parsed
from packaging.utils import canonicalize_name

from app.addons import api
from app.addons.project.fragments import Given
from app.addons.rights import widened
from app.errors import Invalid
from app.variables.limits import check_value, clean_key

PLATFORM_VARIABLES = frozenset(
    "SECRET_KEY STAGE DOMAIN DOMAIN_ALIASES DOMAIN_REDIRECTS GIT_BRANCH GIT_COMMIT SITE_NAME DEBUG "
    "PORT DATABASE_URL BROKER_URL CACHE_URL".split()
)
"""What the platform itself tells a site: no addon may."""
PLATFORM_ENDINGS = ("_DATABASE_DSN", "_STORAGE_DSN", "_BROKER_URL", "_CACHE_URL", "_HAYSTACK_URL")
"""Of variables that services bring, after their prefix."""
STEERING_VARIABLES = frozenset(
    "PATH HOME SHELL IFS ENV BASH_ENV SHELLOPTS BASHOPTS PS4 GCONV_PATH LOCPATH NODE_OPTIONS "
    "NODE_PATH PERL5OPT PERL5LIB RUBYOPT RUBYLIB PHPRC PHP_INI_SCAN_DIR JAVA_TOOL_OPTIONS "
    "JDK_JAVA_OPTIONS _JAVA_OPTIONS CLASSPATH HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY "
    "SSL_CERT_FILE SSL_CERT_DIR REQUESTS_CA_BUNDLE CURL_CA_BUNDLE OPENSSL_CONF".split()
)
"""What decides which program or library runs, or whom it talks to, in any case of letters: it would
change what all others have put into the image."""
STEERING_BEGINNINGS = ("LD_", "DYLD_", "GLIBC_", "PYTHON", "PIP_", "GIT_", "NPM_CONFIG_")
HARMLESS = frozenset({"PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "PYTHONHASHSEED"})

Thing = TypeVar("Thing")


class AddonConflict(Invalid):
    """Two addons want the same thing; the sentence names both."""


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


@dataclass(frozen=True)
class Part:
    """One package of a site with what it answered. `rights` are those people agreed to."""

    package_name: str
    version: str
    rights: api.Rights
    contribution: Contribution


@dataclass(frozen=True)
class Collected:
    """What all addons of a site bring together."""

    addons: Mapping[str, str] = field(default_factory=dict)
    """Version by package name, in the order of installation."""
    variables: Mapping[str, str] = field(default_factory=dict)
    owners: Mapping[str, str] = field(default_factory=dict)
    """The addon that brings each variable."""
    requirements: tuple[api.Requirement, ...] = ()
    fragments: tuple[Given, ...] = ()
    release_commands: tuple[api.ReleaseCommand, ...] = ()
    services: tuple[api.Service, ...] = ()
    processes: tuple[api.Process, ...] = ()
    navigation: tuple[api.NavigationItem, ...] = ()

    def stored(self) -> dict[str, Any]:
        """JSON for `Release.contributions`: of variables only who brings them."""
        kept: dict[str, Any] = msgspec.to_builtins(
            {
                "addons": dict(self.addons),
                "variables": dict(self.owners),
                "services": self.services,
                "processes": self.processes,
                "navigation": self.navigation,
            }
        )
        return kept


def collect(parts: Sequence[Part]) -> Collected:
    """Merge the contributions of `parts`, which are in the order of installation.

    Raises `AddonConflict`, and `Invalid` with a sentence that names the addon for what the
    platform keeps to itself or people have not agreed to.
    """
    for part in parts:
        hold_to_rights(part)
    owners = _owned(parts, lambda given: [row.name for row in given.variables], "the variable")
    _owned(parts, lambda given: [row.name for row in given.processes], "the process")
    check_requirements(parts)
    _check_services(parts)
    given = [part.contribution for part in parts]
    return Collected(
        addons={part.package_name: part.version for part in parts},
        variables={row.name: row.value for one in given for row in one.variables},
        owners=owners,
        requirements=_unique(row for one in given for row in one.requirements),
        fragments=tuple(
            Given(part.package_name, row) for part in parts for row in part.contribution.fragments
        ),
        release_commands=tuple(row for one in given for row in one.release_commands),
        services=_unique(row for one in given for row in one.services),
        processes=tuple(row for one in given for row in one.processes),
        navigation=tuple(row for one in given for row in one.navigation),
    )


def with_fields(
    contribution: Contribution, fields: Iterable[api.Field], settings: api.Settings
) -> Contribution:
    """The same and the values of fields that name a variable; what the addon says of the same
    variable by itself counts more. Secrets are not among them: people's own variables hold them.
    A field that is not set brings no variable."""
    said = {row.name for row in contribution.variables}
    more = []
    for row in fields:
        if not row.variable or row.is_secret or row.variable in said:
            continue
        text = text_of(settings.get(row.name, row.initial))
        if text is not None:
            more.append(api.Variable(row.variable, text))
    return replace(contribution, variables=(*more, *contribution.variables))


def text_of(value: api.Value) -> str | None:
    """A setting as the value of a variable: `True`, `4`, `a,b`; None for what is not set."""
    if value is None or value == "":
        return None
    # A settings.json that was written by hand may list anything.
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def hold_to_rights(part: Part) -> None:
    """Raise `Invalid` for what goes beyond the rights people agreed to, and for variables of the
    platform. The deployment then fails and the old site serves on: left out in silence, the site
    would run without something it counts on."""
    name = part.package_name
    for variable in part.contribution.variables:
        check_variable(name, variable)
    beyond = widened(part.rights, used_rights(part))
    if beyond is None:
        return
    things = [
        *(f"sets the variable {word}" for word in beyond.writes_variables),
        *(f"fills the section “{slot}” of the Dockerfile" for slot in beyond.slots),
        *(f"needs the service {kind}" for kind in beyond.services),
        *(f"adds the process “{word}”" for word in beyond.processes),
        *(f"writes the file {path}" for path in beyond.files),
        *(["runs release commands"] if beyond.has_release_commands else []),
        *(["adds requirements"] if beyond.has_requirements else []),
    ]
    raise _beyond_agreed(name, things[0])


def hold_secrets_to_rights(name: str, fields: Iterable[api.Field], rights: api.Rights) -> None:
    """Raise `Invalid` for a secret field whose variable is the platform's, or that people have not
    agreed to: its value becomes a variable of their own, which counts more than all others."""
    for row in fields:
        if row.is_secret:
            check_variable(name, api.Variable(row.variable, ""))
            if row.variable not in rights.writes_variables:
                raise _beyond_agreed(name, f"sets the variable {row.variable}")


def _beyond_agreed(name: str, thing: str) -> Invalid:
    return Invalid(
        f"The addon {name} {thing}, which nobody agreed to. Upgrade it on the site's page of "
        "addons, where its rights are shown, or tell its author."
    )


def used_rights(part: Part) -> api.Rights:
    """What the contribution does, in the terms of rights."""
    given, own = part.contribution, f"addons/{part.package_name}/"
    return api.Rights(
        writes_variables=_unique(row.name for row in given.variables),
        slots=_unique(row.slot for row in given.fragments),
        services=_unique(row.kind for row in given.services),
        processes=_unique(row.name for row in given.processes),
        files=_unique(row.path for row in given.files if not row.path.startswith(own)),
        has_release_commands=bool(given.release_commands),
        has_requirements=bool(given.requirements),
    )


def check_variable(package_name: str, variable: api.Variable) -> None:
    """Raise `Invalid` for a name that is the platform's or none, and a value nothing can hold."""
    if is_platform_variable(variable.name):
        raise Invalid(
            f"The addon {package_name} sets {variable.name}: that variable is the platform's own."
        )
    try:
        clean_key(variable.name)
        check_value(variable.name, variable.value)
    except Invalid as error:
        raise Invalid(f"The addon {package_name} sets {variable.name}: {error.sentence}") from error


def is_platform_variable(name: str) -> bool:
    """Whether no addon sets it: the platform does, or people by themselves."""
    if name in PLATFORM_VARIABLES or name.endswith(PLATFORM_ENDINGS):
        return True
    upper = name.upper()
    is_steering = upper in STEERING_VARIABLES or upper.startswith(STEERING_BEGINNINGS)
    return is_steering and upper not in HARMLESS


def check_requirements(parts: Sequence[Part]) -> None:
    """Raise `AddonConflict` when one addon pins a version that another one excludes, or both name
    different sources. What only pip can find out is left to it."""
    known: dict[str, list[tuple[str, Parsed]]] = {}
    for part in parts:
        for row in part.contribution.requirements:
            wanted = _parsed(row.line)
            if wanted is None:
                continue
            for other, had in known.setdefault(canonicalize_name(wanted.name), []):
                if other != part.package_name and _exclude_each_other(had, wanted):
                    raise AddonConflict(
                        f"The addons {other} and {part.package_name} cannot both be installed: "
                        f"one needs {had}, the other {wanted}."
                    )
            known[canonicalize_name(wanted.name)].append((part.package_name, wanted))


def _parsed(line: str) -> Parsed | None:
    """None for a line that is no plain requirement, e.g. an address or an option."""
    try:
        return Parsed(line.partition(" #")[0].strip())
    except InvalidRequirement:
        return None


def _exclude_each_other(one: Parsed, other: Parsed) -> bool:
    if one.url or other.url:
        return one.url != other.url
    return any(
        not against.specifier.contains(pin.version, prereleases=True)
        for pinned, against in ((one, other), (other, one))
        for pin in pinned.specifier
        if pin.operator == "==" and not pin.version.endswith(".*")
    )


def _owned(
    parts: Sequence[Part], names: Callable[[Contribution], Iterable[str]], what: str
) -> dict[str, str]:
    """The addon of each name; raises `AddonConflict` when two have the same."""
    owners: dict[str, str] = {}
    for part in parts:
        for name in names(part.contribution):
            other = owners.setdefault(name, part.package_name)
            if other != part.package_name:
                raise AddonConflict(
                    f"The addons {other} and {part.package_name} both bring {what} {name}".rstrip()
                    + ": one of them has to go."
                )
    return owners


def _check_services(parts: Sequence[Part]) -> None:
    rows = [
        (row.kind, row.prefix, part.package_name, dict(row.options))
        for part in parts
        for row in part.contribution.services
    ]
    for one, other in pairwise(sorted(rows, key=lambda row: row[:2])):
        if one[:2] == other[:2] and one[3] != other[3]:
            raise AddonConflict(
                f"The addons {one[2]} and {other[2]} want the same service, "
                f"{one[0]} “{one[1]}”, with different options."
            )


def _unique(rows: Iterable[Thing]) -> tuple[Thing, ...]:
    """Without repetitions, in the order of the first."""
    kept: list[Thing] = []
    for row in rows:
        if row not in kept:
            kept.append(row)
    return tuple(kept)
