"""Every right there is, and which role carries it. Nobody compares role names anywhere else."""

from __future__ import annotations

from enum import StrEnum


class Permission(StrEnum):
    """What a person may do. Endpoints name one of these or stand in the public list."""

    ACCOUNT_OWN = "account.own"
    """Anyone signed in, on their own account."""
    ORGANISATION_READ = "organisation.read"
    ORGANISATION_UPDATE = "organisation.update"
    MEMBERS_UPDATE = "members.update"
    AUDIT_READ = "audit.read"
    APPLICATION_CREATE = "application.create"
    APPLICATION_READ = "application.read"
    APPLICATION_UPDATE = "application.update"
    REPOSITORY_READ = "repository.read"
    REPOSITORY_WRITE = "repository.write"
    ENVIRONMENT_UPDATE = "environment.update"
    VARIABLES_READ = "variables.read"
    VARIABLES_UPDATE = "variables.update"
    DEPLOYMENT_READ = "deployment.read"
    DEPLOYMENT_CREATE = "deployment.create"
    LOGS_READ = "logs.read"


class Role(StrEnum):
    """A person's role in an organisation (checklist Part 3: owner/admin, collaborator)."""

    OWNER = "owner"
    ADMINISTRATOR = "administrator"
    REGULAR = "regular"


class Access(StrEnum):
    """What a regular member was given on one application (A6): look, or work on it too."""

    VIEWER = "viewer"
    COLLABORATOR = "collaborator"


LOOK = frozenset(
    {
        Permission.APPLICATION_READ,
        Permission.REPOSITORY_READ,
        Permission.DEPLOYMENT_READ,
        Permission.LOGS_READ,
    }
)
WORK = LOOK | {
    Permission.APPLICATION_UPDATE,
    Permission.REPOSITORY_WRITE,
    Permission.ENVIRONMENT_UPDATE,
    Permission.VARIABLES_READ,
    Permission.VARIABLES_UPDATE,
    Permission.DEPLOYMENT_CREATE,
}
EVERYTHING = frozenset(Permission)

ORGANISATION_RIGHTS: dict[Role, frozenset[Permission]] = {
    Role.OWNER: EVERYTHING,
    Role.ADMINISTRATOR: EVERYTHING - {Permission.ORGANISATION_UPDATE},
    Role.REGULAR: frozenset({Permission.ORGANISATION_READ, Permission.APPLICATION_CREATE}),
}
APPLICATION_RIGHTS: dict[Access, frozenset[Permission]] = {
    Access.VIEWER: LOOK,
    Access.COLLABORATOR: WORK,
}


def rights_of(role: Role, access: Access | None = None) -> frozenset[Permission]:
    """All rights a member has on an application: by the organisation and by being given access."""
    given = APPLICATION_RIGHTS[access] if access else frozenset()
    return ORGANISATION_RIGHTS[role] | given
