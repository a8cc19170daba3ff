"""Carrying a plan out: rows, variables, audit and, last of all, the commit.

Git and the database cannot agree on a moment. The commit comes last, so that a refused one leaves
nothing behind. Should the database fail in the instant after it, the branch is ahead of the rows:
pages show the tip, so nothing is wrong to see, and repeating the change (which then writes no
file) puts the rows right.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flask_babel import gettext as _

from app.accounts.models import User
from app.adapters.git import Author, RepositoryStore
from app.addons import queries
from app.addons.installing.plan import Plan
from app.addons.installing.reasons import refuse_yanked
from app.addons.models import AddonChange, ChangeKind, InstalledAddon
from app.audit.operations import record
from app.environments.models import TEST, Environment
from app.environments.queries import list_environments
from app.errors import Conflict, Invalid
from app.extensions import db, now
from app.repositories.operations import refresh_branches
from app.transactions import unit_of_work
from app.variables.limits import Entry
from app.variables.operations import remove_variable, set_variables
from app.variables.queries import find_variable

ATTEMPTS = 3


class BranchMoved(Conflict):
    """Somebody pushed after the plan was made."""


def carry_out(
    plan_again: Callable[[], Plan], seen: str, actor: User, store: RepositoryStore
) -> AddonChange:
    """Plan, and do it in a unit of work of its own; again when the branch moved in between, at
    most three times. `seen` is `Plan.seen` of what the person confirmed; empty: whatever it is.

    Raises `Conflict` when the plan is not that one any more, and never forces.
    """
    for _attempt in range(ATTEMPTS):
        plan = plan_again()
        if seen and plan.seen != seen:
            raise Conflict(
                _(
                    "The site was changed meanwhile, so this would do something else than what you "
                    "have seen. Nothing was saved: look at it again."
                )
            )
        try:
            with unit_of_work():
                return apply_plan(plan, actor, store)
        except BranchMoved:
            continue
    raise Conflict(
        _(
            "Others are changing the site's files at this moment, so nothing was saved. Try again "
            "in a minute."
        )
    )


def apply_plan(plan: Plan, actor: User, store: RepositoryStore) -> AddonChange:
    """Write it; belongs into a unit of work. Raises `BranchMoved` when the branch has moved since
    the plan was made, and `Invalid` for a plan that cannot be carried out: then nothing is
    written."""
    if plan.installed is not None:
        queries.read_again(plan.installed)
    _refuse_impossible(plan)
    installed = _write_row(plan)
    change = AddonChange(
        installed=installed,
        kind=plan.kind,
        actor_id=actor.id,
        actor_name=actor.name,
        commit=plan.tip or "",
        before=dict(plan.settings_before),
        after=dict(plan.settings_after),
        secrets=sorted(plan.secrets),
        version_before=plan.version_before,
        version_after="" if plan.kind == ChangeKind.REMOVE else plan.version.version,
    )
    db.session.add(change)
    _set_secrets(plan, actor)
    _record(plan, actor)
    db.session.flush()
    environments = list_environments(plan.application.id)
    change.commit = _commit(plan, environments, actor, store)
    followers = [row for row in environments if row.branch == plan.branch]
    for tracked in refresh_branches(followers, store):
        tracked.pushed_by_id = actor.id
    return change


def _refuse_impossible(plan: Plan) -> None:
    if plan.is_empty:
        raise Invalid(_("Nothing is different from before, so there is nothing to save."))
    if plan.missing:
        raise Invalid(
            _(
                "%(name)s needs other addons. Install these first: %(missing)s.",
                name=plan.addon.name,
                missing=", ".join(plan.missing),
            )
        )
    if plan.kind in (ChangeKind.INSTALL, ChangeKind.UPGRADE):
        db.session.refresh(plan.version)
        refuse_yanked(plan.version)


def _write_row(plan: Plan) -> InstalledAddon:
    """The addon's row as it is after the change."""
    row = plan.installed or queries.find_row(plan.application.id, plan.addon.id)
    if row is None:
        row = InstalledAddon(
            application_id=plan.application.id, addon=plan.addon, version=plan.version
        )
        db.session.add(row)
    if plan.kind == ChangeKind.REMOVE:
        row.removed_at = now()
        return row
    row.removed_at = None
    row.version = plan.version
    row.settings = dict(plan.settings_after)
    row.contributed = dict(plan.contributed)
    if plan.kind in (ChangeKind.INSTALL, ChangeKind.UPGRADE):
        row.consented = dict(plan.version.rights)
    if plan.kind == ChangeKind.INSTALL:
        row.channel = plan.version.channel
    return row


def _set_secrets(plan: Plan, actor: User) -> None:
    """Secrets become variables of all environments: the addon needs them wherever it runs."""
    names = {one.name: one.variable for one in plan.version.fields if one.is_secret}
    unknown = plan.secrets.keys() - names.keys()
    if unknown:
        raise Invalid(_("There is no secret “%(name)s”.", name=min(unknown)))
    given = {names[name]: value for name, value in plan.secrets.items()}
    entries = [Entry(name, value, True) for name, value in given.items() if value is not None]
    for environment in list_environments(plan.application.id) if given else ():
        set_variables(environment, entries, actor, addon=plan.addon.package_name)
        for name, value in given.items():
            row = find_variable(environment.id, name) if value is None else None
            if row is not None:
                remove_variable(environment, row, actor, addon=plan.addon.package_name)


def _commit(
    plan: Plan, environments: Sequence[Environment], actor: User, store: RepositoryStore
) -> str:
    if (TEST, plan.branch) not in [(row.slug, row.branch) for row in environments]:
        raise BranchMoved(_("Test deploys another branch now."))
    key = plan.repository
    if not plan.files:
        if store.resolve(key, plan.branch) != plan.tip:
            raise BranchMoved(_("The branch has moved."))
        return plan.tip or ""
    author = Author(actor.name, actor.email)
    try:
        return store.commit(key, plan.branch, plan.files, _message(plan), author, plan.tip)
    except Conflict as error:
        raise BranchMoved(error.sentence) from error


def _message(plan: Plan) -> str:
    """In English whatever the person speaks: a repository's history has one language."""
    name, number = plan.addon.package_name, plan.version.version
    return {
        ChangeKind.INSTALL: f"Install {name} {number}",
        ChangeKind.SAVE: f"Change the settings of {name}",
        ChangeKind.UPGRADE: f"Move {name} from {plan.version_before} to {number}",
        ChangeKind.UNDO: f"Take a change of the settings of {name} back",
        ChangeKind.REMOVE: f"Remove {name}",
    }[plan.kind]


def _record(plan: Plan, actor: User) -> None:
    changed = {
        name
        for name in {*plan.settings_before, *plan.settings_after}
        if plan.settings_before.get(name) != plan.settings_after.get(name)
    }
    record(
        f"site_addon.{plan.kind.value}",
        plan.application.slug,
        actor=actor,
        organisation_id=plan.application.organisation_id,
        addon=plan.addon.package_name,
        version=plan.version.version,
        version_before=plan.version_before,
        settings=sorted(changed),
        secrets=sorted(plan.secrets),
    )
