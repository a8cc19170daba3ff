"""What waits for an environment's next deployment: the release that runs against what a
deployment would run with now, whatever kind of setting it is.

Nothing is noted down when a setting changes: the two sides are compared when somebody looks. So a
change made while a deployment runs, which that one does not use, goes on waiting; and a change
that is taken back does not wait any more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

import humanize
from flask_babel import gettext as _
from sqlalchemy import select

from app.adapters.git import CommitInfo
from app.addons.stored import form_fields, stored_addons
from app.deployments import queries
from app.deployments.models import Deployment, DeploymentStatus, Release
from app.deployments.waiting_addons import (
    AddonSide,
    differences,
    side_after,
    side_of_release,
)
from app.deployments.waiting_processes import job_differences, process_differences
from app.deployments.waiting_services import (
    service_differences,
    services_to_be,
    told_by_services,
)
from app.environments.models import TEST, Environment
from app.environments.queries import find_environment
from app.extensions import db
from app.installation import installation
from app.repositories.queries import find_tracked_branch, load_repository, tracked_branches
from app.runtime.processes import (
    Process,
    ScheduledJob,
    merge_processes,
    read_jobs,
    read_processes,
    variables_for,
)
from app.runtime.queries import SECRET_NAMES, Configuration, resolve_configurations
from app.services.uses import ReleasedService, read_services
from app.variables.queries import names_once_secret

FROM_DOMAINS = frozenset({"DOMAIN", "DOMAIN_ALIASES", "DOMAIN_REDIRECTS"})
"""Automatic variables that only repeat a change of domains."""
BRANCH_VARIABLE = "GIT_BRANCH"
SHOWN = 80
"""Characters of a value in a list of changes."""
COMMITS_SHOWN = 20
NAMED = 3
"""Names in the short form of the list."""


class ChangeKind(StrEnum):
    """What sort of setting differs."""

    VARIABLE = "variable"
    DOMAIN = "domain"
    COMMAND = "command"
    CONTAINERS = "containers"
    LIMIT = "limit"
    BRANCH = "branch"
    ADDON = "addon"
    ADDON_SETTING = "addon-setting"
    PROCESS = "process"
    CRON_JOB = "cron-job"
    SERVICE = "service"


@dataclass(frozen=True)
class Change:
    """One difference. `before` and `after` are plain words, None where there is nothing; of a
    secret only that it differs is known here."""

    kind: ChangeKind
    name: str
    before: str | None
    after: str | None
    is_secret: bool = False
    addon: str = ""
    """The package that sets the variable, where people have not."""

    @property
    def verb(self) -> str:
        """`added`, `removed` or `changed`."""
        if self.before is None:
            return "added"
        return "removed" if self.after is None else "changed"


@dataclass(frozen=True)
class Waiting:
    """All that the next deployment of one environment would bring."""

    is_deployed: bool
    changes: Sequence[Change] = ()
    commits: int = 0

    @property
    def names(self) -> str:
        """The first few changes by name, for a card."""
        shown = ", ".join(change.name for change in self.changes[:NAMED])
        return f"{shown}, …" if len(self.changes) > NAMED else shown


@dataclass(frozen=True)
class Settings:
    """One side of a comparison, read from a release or resolved from what the forms say now."""

    variables: Mapping[str, str]
    secret_names: Collection[str]
    own_names: Collection[str]
    """Own variables as far as known; of a release it is not."""
    commands: Sequence[tuple[str, str]]
    containers: int
    limits: Mapping[str, float | None]
    hosts: Sequence[str]
    redirects: Sequence[tuple[str, str, int]]
    addons: AddonSide = field(default_factory=AddonSide)
    processes: Sequence[Process] = ()
    cron_jobs: Sequence[ScheduledJob] = ()
    services: Sequence[ReleasedService] = ()


def load_waiting(environments: Sequence[Environment]) -> Mapping[int, Waiting]:
    """What waits in environments of one application, each with its current release decrypted."""
    numbers = [row.id for row in environments]
    current = queries.decrypted_releases(numbers)
    releases = {number: row.release for number, row in current.items()}
    configurations = resolve_configurations([row for row in environments if row.id in releases])
    tracked = tracked_branches(numbers)
    sides = _sides_of_addons(environments, releases, configurations)
    changes = _without_secrets(
        {
            number: compare(
                _of_release(releases[number]),
                _of_configuration(configuration, sides[number]),
                environments[0].application_id,
            )
            for number, configuration in configurations.items()
        }
    )
    return {
        number: Waiting(
            is_deployed=number in releases,
            changes=changes.get(number, ()),
            commits=tracked[number].waiting if number in tracked else 0,
        )
        for number in numbers
    }


def waiting_commits(environment: Environment) -> Sequence[CommitInfo]:
    """The newest commits of the branch that are not deployed; asks Git if there are any."""
    branch = find_tracked_branch(environment.id)
    if branch is None or branch.head is None or not branch.waiting:
        return []
    key = load_repository(environment.application_id).uuid
    store = installation().adapters.repositories
    return store.log(key, branch.head, branch.deployed, COMMITS_SHOWN)


def changes_since_last(deployment: Deployment, release: Release) -> Sequence[Change]:
    """How the configuration of `release` differs from what served before `deployment`."""
    before = db.session.scalars(
        select(Release)
        .join(Deployment, Deployment.release_id == Release.id)
        .where(
            Deployment.environment_id == deployment.environment_id,
            Deployment.id < deployment.id,
            Deployment.status == DeploymentStatus.SUCCEEDED,
        )
        .order_by(Deployment.id.desc())
        .limit(1)
    ).first()
    if before is None or before.id == release.id:
        return ()
    number = deployment.environment_id
    application_id = deployment.environment.application_id
    changes = compare(_of_release(before), _of_release(release), application_id)
    return _without_secrets({number: changes})[number]


def compare(before: Settings, after: Settings, application_id: int) -> list[Change]:
    """All differences, by kind and then by name."""
    return [
        *_addons(before.addons, after.addons, application_id),
        *_services(before, after),
        *_variables(before, after),
        *_domains(before, after),
        *_commands(before.commands, after.commands),
        *_beside_web(before, after),
        *_containers(before, after),
        *_limits(before.limits, after.limits),
    ]


def _of_release(release: Release) -> Settings:
    values, masked = release.variables, frozenset(release.masked_values)
    return Settings(
        variables=values,
        secret_names=SECRET_NAMES | {name for name, value in values.items() if value in masked},
        own_names=(),
        commands=[(label, command) for label, command in release.release_commands],
        containers=release.containers,
        limits=release.limits,
        hosts=release.hosts,
        redirects=[(host, target, status) for host, target, status in release.redirects],
        addons=side_of_release(release),
        processes=read_processes(release.processes),
        cron_jobs=read_jobs(release.cron_jobs),
        services=read_services(release.services),
    )


def _sides_of_addons(
    environments: Sequence[Environment],
    releases: Mapping[int, Release],
    configurations: Mapping[int, Configuration],
) -> Mapping[int, AddonSide]:
    """What addons would bring to each. The rows tell of Test's branch; of an environment on another
    one nothing is known before its deployment asks, so nothing is said to change."""
    sides = {number: side_of_release(releases[number]) for number in configurations}
    stored = stored_addons(environments[0].application_id) if sides else ()
    if not stored:
        return sides
    application_id = environments[0].application_id
    test = find_environment(application_id, TEST)
    asked_at = queries.moments_asked([releases[number].id for number in sides])
    for row in environments:
        if row.id not in sides or test is None or row.branch != test.branch:
            continue
        since = asked_at[releases[row.id].id]
        moved = [one for one in stored if one.changed_at and one.changed_at > since]
        fields = form_fields(application_id, {one.package_name for one in moved}) if moved else {}
        own_names = configurations[row.id].own_names
        sides[row.id] = side_after(sides[row.id], moved, fields, own_names)
    return sides


def _of_configuration(configuration: Configuration, addons: AddonSide) -> Settings:
    limits = configuration.limits
    processes = merge_processes(configuration.processes, addons.processes)
    return Settings(
        variables={**variables_for(processes), **configuration.variables, **addons.variables},
        secret_names=configuration.secret_names,
        own_names=configuration.own_names,
        commands=[
            *((label, command) for _package, label, command in addons.commands),
            *configuration.release_commands,
        ],
        containers=configuration.containers,
        limits={"memory_bytes": limits.memory_bytes, "cpus": limits.cpus, "pids": limits.pids},
        hosts=configuration.hosts,
        redirects=configuration.redirects,
        addons=addons,
        processes=processes,
        cron_jobs=configuration.cron_jobs,
        services=services_to_be(configuration.services),
    )


def _addons(before: AddonSide, after: AddonSide, application_id: int) -> Iterator[Change]:
    for row in differences(before, after, application_id):
        kind = ChangeKind.ADDON_SETTING if row.is_setting else ChangeKind.ADDON
        yield Change(kind, row.name, row.before, row.after)


def _variables(before: Settings, after: Settings) -> Iterator[Change]:
    """`PORT` is among them; the port a site listens on follows from it or from the image."""
    old, new = before.variables, after.variables
    secret = {*before.secret_names, *after.secret_names}
    told = frozenset() if _hosts(before) == _hosts(after) else FROM_DOMAINS
    told |= told_by_services(before.services, after.services)
    for name in sorted({*old, *new}):
        is_automatic = name not in after.own_names
        if old.get(name) == new.get(name) or (is_automatic and name in told):
            continue
        is_branch = is_automatic and name == BRANCH_VARIABLE
        yield Change(
            ChangeKind.BRANCH if is_branch else ChangeKind.VARIABLE,
            _("branch") if is_branch else name,
            _value(old.get(name), name in secret),
            _value(new.get(name), name in secret),
            name in secret,
            after.addons.owners.get(name) or before.addons.owners.get(name, ""),
        )


def _value(value: str | None, is_secret: bool) -> str | None:
    if value is None:
        return None
    return "" if is_secret else value if len(value) <= SHOWN else f"{value[:SHOWN]}…"


def _hosts(settings: Settings) -> dict[str, str]:
    """What each host does."""
    redirects = {
        host: _("redirects to %(target)s (%(status)s)", target=target, status=status)
        for host, target, status in settings.redirects
    }
    return dict.fromkeys(settings.hosts, _("shows the site")) | redirects


def _domains(before: Settings, after: Settings) -> Iterator[Change]:
    old, new = _hosts(before), _hosts(after)
    for host in sorted({*old, *new}):
        if old.get(host) != new.get(host):
            yield Change(ChangeKind.DOMAIN, host, old.get(host), new.get(host))


def _commands(
    before: Sequence[tuple[str, str]], after: Sequence[tuple[str, str]]
) -> Iterator[Change]:
    for label, command in before:
        if (label, command) not in after:
            yield Change(ChangeKind.COMMAND, label, command, None)
    for label, command in after:
        if (label, command) not in before:
            yield Change(ChangeKind.COMMAND, label, None, command)


def _services(before: Settings, after: Settings) -> Iterator[Change]:
    for row in service_differences(before.services, after.services):
        yield Change(ChangeKind.SERVICE, row.name, row.before, row.after)


def _beside_web(before: Settings, after: Settings) -> Iterator[Change]:
    for row in process_differences(before.processes, after.processes):
        yield Change(ChangeKind.PROCESS, row.name, row.before, row.after, addon=row.addon)
    for row in job_differences(before.cron_jobs, after.cron_jobs):
        yield Change(ChangeKind.CRON_JOB, row.name, row.before, row.after)


def _containers(before: Settings, after: Settings) -> Iterator[Change]:
    if before.containers != after.containers:
        old, new = str(before.containers), str(after.containers)
        yield Change(ChangeKind.CONTAINERS, _("containers"), old, new)


def _limits(
    before: Mapping[str, float | None], after: Mapping[str, float | None]
) -> Iterator[Change]:
    words = {"memory_bytes": _("memory limit"), "cpus": _("processors"), "pids": _("processes")}
    for key, name in words.items():
        old, new = before.get(key), after.get(key)
        if key in before and old != new:
            yield Change(ChangeKind.LIMIT, name, _amount(key, old), _amount(key, new))


def _amount(key: str, amount: float | None) -> str:
    if amount is None:
        return str(_("no limit"))
    if key == "memory_bytes":
        return str(humanize.naturalsize(amount, binary=True))
    return f"{amount:g}"


def _without_secrets(
    changes: Mapping[int, Sequence[Change]],
) -> Mapping[int, Sequence[Change]]:
    """The same by environment, without the values of variables that became a secret since, or
    were one before."""
    names = {
        row.name
        for rows in changes.values()
        for row in rows
        if row.kind == ChangeKind.VARIABLE and not row.is_secret
    }
    secret = names_once_secret(list(changes), names) if names else frozenset()
    return {
        number: [_hidden(row) if (number, row.name) in secret else row for row in rows]
        for number, rows in changes.items()
    }


def _hidden(row: Change) -> Change:
    if row.kind != ChangeKind.VARIABLE:
        return row
    before, after = (None if text is None else "" for text in (row.before, row.after))
    return replace(row, before=before, after=after, is_secret=True)
