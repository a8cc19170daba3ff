"""Every page there is, by name, for tests and pictures that go over all of them."""

from __future__ import annotations

from tests.browser.seeding import Agency

SIGNED_OUT = {"sign-in": "/account/sign-in/", "sign-up": "/account/sign-up/"}


def signed_in_pages(agency: Agency) -> dict[str, str]:
    """Name and path of each page for the person of `agency`."""
    site = f"/applications/{agency.slug}"
    blank = "/applications/observatory-blog"
    organisation = f"/organisations/{agency.organisation}"
    return {
        "applications": "/applications/",
        "applications-failed": "/applications/?state=failed",
        "applications-nothing-found": "/applications/?q=nowhere",
        "application-new": "/applications/new/",
        "dashboard": f"{site}/",
        "dashboard-failed": "/applications/alpine-library/",
        "dashboard-waiting": "/applications/city-museum/",
        "dashboard-never-deployed": "/applications/velo-workshop/",
        "dashboard-empty-repository": f"{blank}/",
        "deployments": f"{site}/deployments/",
        "deployments-none": f"{blank}/deployments/",
        "deployment-succeeded": f"{site}/deployments/{agency.succeeded}/",
        "deployment-failed": f"{site}/deployments/{agency.failed}/",
        "deployment-running": f"{site}/deployments/{agency.running}/",
        "releases": f"{site}/environments/test/releases/",
        "environments": f"{site}/environments/",
        "environment-settings": f"{site}/environments/live/",
        "repository": f"{site}/repository/",
        "repository-empty": f"{blank}/repository/",
        "logs": f"{site}/environments/live/logs/",
        "logs-none": f"{site}/environments/test/logs/",
        "variables": f"{site}/environments/live/variables/",
        "variable-edit": f"{site}/environments/live/variables/?edit=STRIPE_API_KEY",
        "settings": f"{site}/settings/",
        "collaborators": f"{site}/collaborators/",
        "organisation-new": "/organisations/new/",
        "members": f"{organisation}/members/",
        "organisation-settings": f"{organisation}/settings/",
        "audit": f"{organisation}/audit/",
        "profile": "/account/",
        "password": "/account/password/",
        "ssh-keys": "/account/ssh-keys/",
        "access-tokens": "/account/access-tokens/",
        "not-found": "/applications/there-is-none/",
    }
