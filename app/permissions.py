"""Every right there is, and which role carries it. Nobody compares role names anywhere else."""

from __future__ import annotations

from enum import StrEnum


class Permission(StrEnum):
    """What a person may do. Endpoints name one of these or stand in the public list."""

    ACCOUNT_OWN = "account.own"
    """Anyone signed in, on their own account."""
    INSTALLATION_OPERATE = "installation.operate"
    """The machines themselves: given by `User.is_operator`, by no role in an organisation."""
    ORGANISATION_READ = "organisation.read"
    ORGANISATION_UPDATE = "organisation.update"
    ORGANISATION_DELETE = "organisation.delete"
    MEMBERS_UPDATE = "members.update"
    AUDIT_READ = "audit.read"
    TRASH_UPDATE = "trash.update"
    """See an organisation's trash, restore from it, empty it before its time."""
    APPLICATION_CREATE = "application.create"
    APPLICATION_READ = "application.read"
    APPLICATION_UPDATE = "application.update"
    APPLICATION_DELETE = "application.delete"
    APPLICATION_TRANSFER = "application.transfer"
    COLLABORATORS_UPDATE = "collaborators.update"
    SITE_READ = "site.read"
    """The site as its editor sees it: its name, its addresses, its forms."""
    CONTENT_UPDATE = "content.update"
    """Fill in and publish a site's forms."""
    REPOSITORY_READ = "repository.read"
    REPOSITORY_WRITE = "repository.write"
    ENVIRONMENT_CREATE = "environment.create"
    ENVIRONMENT_UPDATE = "environment.update"
    ENVIRONMENT_DELETE = "environment.delete"
    DOMAINS_UPDATE = "domains.update"
    VARIABLES_READ = "variables.read"
    VARIABLES_REVEAL = "variables.reveal"
    """See the value of a secret; each look is an audit line."""
    VARIABLES_UPDATE = "variables.update"
    DEPLOYMENT_READ = "deployment.read"
    DEPLOYMENT_CREATE = "deployment.create"
    LOGS_READ = "logs.read"
    SERVICES_READ = "services.read"
    """Which services there are, their states and how much they hold; no secrets."""
    SERVICES_UPDATE = "services.update"
    BACKUPS_READ = "backups.read"
    BACKUPS_CREATE = "backups.create"
    """Take one, and ask somebody who may for a restore."""
    BACKUPS_RESTORE = "backups.restore"
    """Overwrite data by a backup's, delete backups, set their schedule."""
    BACKUPS_DOWNLOAD = "backups.download"
    CRON_UPDATE = "cron.update"
    WORKERS_UPDATE = "workers.update"
    ADDONS_UPDATE = "addons.update"
    """Install, upgrade and remove addons in an application."""
    ADDON_CREATE = "addon.create"
    """Register an addon for an organisation."""
    ADDON_READ = "addon.read"
    ADDON_INSTALL = "addon.install"
    """Install this addon in applications one may work on."""
    ADDON_UPDATE = "addon.update"
    ADDON_UPLOAD = "addon.upload"
    """Upload versions of it, move them between channels, yank them."""
    ADDON_COLLABORATORS_UPDATE = "addon_collaborators.update"


class Scope(StrEnum):
    """How far an access token reaches; each holds what the one before it does."""

    READ = "read"
    DEPLOY = "deploy"
    WRITE = "write"
    ADMIN = "admin"


class Role(StrEnum):
    """A person's role in an organisation (checklist Part 3: owner/admin, collaborator)."""

    OWNER = "owner"
    ADMINISTRATOR = "administrator"
    REGULAR = "regular"
    SITE_EDITOR = "site_editor"
    """Sees nothing but forms and content of the sites given to them."""


class Access(StrEnum):
    """What a member was given on one application (A6): its content, a look at it, or work on it.
    A site editor is given content only."""

    EDITOR = "editor"
    VIEWER = "viewer"
    COLLABORATOR = "collaborator"


EDIT = frozenset(
    {
        Permission.SITE_READ,
        Permission.CONTENT_UPDATE,
        Permission.BACKUPS_READ,
        Permission.BACKUPS_CREATE,
    }
)
LOOK = frozenset(
    {
        Permission.SITE_READ,
        Permission.APPLICATION_READ,
        Permission.REPOSITORY_READ,
        Permission.DEPLOYMENT_READ,
        Permission.LOGS_READ,
        Permission.SERVICES_READ,
        Permission.BACKUPS_READ,
    }
)
WORK = LOOK | {
    Permission.CONTENT_UPDATE,
    Permission.APPLICATION_UPDATE,
    Permission.REPOSITORY_WRITE,
    Permission.ENVIRONMENT_CREATE,
    Permission.ENVIRONMENT_UPDATE,
    Permission.ENVIRONMENT_DELETE,
    Permission.DOMAINS_UPDATE,
    Permission.VARIABLES_READ,
    Permission.VARIABLES_REVEAL,
    Permission.VARIABLES_UPDATE,
    Permission.DEPLOYMENT_CREATE,
    Permission.ADDONS_UPDATE,
    Permission.SERVICES_UPDATE,
    Permission.BACKUPS_CREATE,
    Permission.BACKUPS_RESTORE,
    Permission.BACKUPS_DOWNLOAD,
    Permission.CRON_UPDATE,
    Permission.WORKERS_UPDATE,
}
EVERYTHING = frozenset(Permission) - {Permission.INSTALLATION_OPERATE}
OF_OWNERS = frozenset({Permission.ORGANISATION_UPDATE, Permission.ORGANISATION_DELETE})

ORGANISATION_RIGHTS: dict[Role, frozenset[Permission]] = {
    Role.OWNER: EVERYTHING,
    Role.ADMINISTRATOR: EVERYTHING - OF_OWNERS,
    Role.REGULAR: frozenset(
        {Permission.ORGANISATION_READ, Permission.APPLICATION_CREATE, Permission.ADDON_CREATE}
    ),
    Role.SITE_EDITOR: frozenset(),
}
APPLICATION_RIGHTS: dict[Access, frozenset[Permission]] = {
    Access.EDITOR: EDIT,
    Access.VIEWER: LOOK,
    Access.COLLABORATOR: WORK,
}

ADDON_USE = frozenset({Permission.ADDON_READ, Permission.ADDON_INSTALL})
"""On an addon that is public, that one's organisation shares, or that one works on."""
ADDON_WORK = ADDON_USE | {
    Permission.ADDON_UPDATE,
    Permission.ADDON_UPLOAD,
    Permission.ADDON_COLLABORATORS_UPDATE,
}
"""A collaborator with “Can update” (checklist Part 3)."""


def rights_of(role: Role, access: Access | None = None) -> frozenset[Permission]:
    """All rights a member has on an application: by the organisation and by being given access.

    A site editor has no more than its content, whatever they were given as something else.
    """
    given = APPLICATION_RIGHTS[access] if access else frozenset()
    if role == Role.SITE_EDITOR:
        given &= EDIT
    return ORGANISATION_RIGHTS[role] | given


def accesses_with(role: Role, permission: Permission) -> frozenset[Access]:
    """With which accesses a member of this role has the right, for queries over many rows."""
    return frozenset(access for access in Access if permission in rights_of(role, access))


_READING = LOOK | {Permission.ORGANISATION_READ, Permission.VARIABLES_READ}
SCOPE_RIGHTS: dict[Scope, frozenset[Permission]] = {
    Scope.READ: _READING | {Permission.ADDON_READ},
    Scope.DEPLOY: _READING | {Permission.ADDON_READ, Permission.DEPLOYMENT_CREATE},
    Scope.WRITE: _READING
    | WORK
    | ADDON_WORK
    | {Permission.APPLICATION_CREATE, Permission.ADDON_CREATE},
    Scope.ADMIN: EVERYTHING,
}
"""What a token lets its person do at most; never more than the person may."""
