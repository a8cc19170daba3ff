"""Every page there is, by name, for tests and pictures that go over all of them."""

from __future__ import annotations

from tests.browser.seeding import MAILED_TOKEN, Agency
from tests.browser.seeding_people import EXPIRED, KNOWN, NEW
from tests.browser.seeding_trash import APPLICATION_ENTRY, DOMAIN, ENVIRONMENT_ENTRY

SIGNED_OUT = {
    "sign-in": "/account/sign-in/",
    "sign-up": "/account/sign-up/",
    "forgotten-password": "/account/forgotten-password/",
    "new-password": f"/account/reset-password/{MAILED_TOKEN}/",
    "invitation": f"/invitations/{NEW}/",
    "invitation-known": f"/invitations/{KNOWN}/",
    "invitation-expired": f"/invitations/{EXPIRED}/",
}


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
        "search": "/search/?q=museum",
        "search-nothing-found": "/search/?q=nowhere",
        "deploy-many": "/applications/deploy/?environment=test&site=city-museum&site=alpine-library"
        "&site=observatory-blog",
        "deploy-many-none": "/applications/deploy/?environment=live",
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
        "environment-settings-preview": f"{site}/environments/preview/",
        "environment-new": f"{site}/environments/new/",
        "environment-delete": f"{site}/environments/preview/delete/",
        "application-delete": f"{site}/delete/",
        "trash": f"{organisation}/trash/",
        "trash-none": "/organisations/riverside-group/trash/",
        "trash-delete-application": f"{organisation}/trash/{APPLICATION_ENTRY}/delete/",
        "trash-of-application": f"{site}/trash/",
        "trash-of-application-none": f"{blank}/trash/",
        "trash-delete-environment": f"{site}/trash/environments/{ENVIRONMENT_ENTRY}/delete/",
        "trash-delete-domain": f"{site}/trash/domains/{DOMAIN}/delete/",
        "repository": f"{site}/repository/",
        "repository-empty": f"{blank}/repository/",
        "logs": f"{site}/environments/live/logs/",
        "logs-none": f"{site}/environments/test/logs/",
        "variables": f"{site}/environments/live/variables/",
        "variable-edit": f"{site}/environments/live/variables/?edit=STRIPE_API_KEY",
        "variable-list": f"{site}/environments/test/variables/?new=DOMAIN_ALIASES",
        "variables-nothing-found": f"{site}/environments/live/variables/?q=nowhere",
        "variables-none": f"{blank}/environments/live/variables/",
        "variables-history": f"{site}/environments/live/variables/history/",
        "variables-history-none": f"{blank}/environments/live/variables/history/",
        "variables-paste": f"{site}/environments/live/variables/paste/",
        "variables-copy": f"{site}/environments/live/variables/copy/",
        "waiting": f"{site}/environments/live/waiting/",
        "waiting-none": "/applications/zoe-notaries/environments/live/waiting/",
        "waiting-never-deployed": f"{blank}/environments/test/waiting/",
        "domains": f"{site}/environments/live/domains/",
        "domains-not-here": f"{site}/environments/test/domains/",
        "domains-none": f"{blank}/environments/live/domains/",
        "settings": f"{site}/settings/",
        "collaborators": f"{site}/collaborators/",
        "transfer": f"{site}/transfer/?to=riverside-group",
        "organisations": "/organisations/",
        "organisation-new": "/organisations/new/",
        "organisation-delete": f"{organisation}/delete/",
        "organisation-delete-empty": "/organisations/mara-lindqvist/delete/",
        "invitation-for-another": f"/invitations/{NEW}/",
        "members": f"{organisation}/members/",
        "organisation-settings": f"{organisation}/settings/",
        "audit": f"{organisation}/audit/",
        "profile": "/account/",
        "password": "/account/password/",
        "second-factor": "/account/second-factor/",
        "second-factor-app": "/account/second-factor/app/",
        "sessions": "/account/sessions/",
        "ssh-keys": "/account/ssh-keys/",
        "access-tokens": "/account/access-tokens/",
        "desktop-app": "/account/desktop-app/access-token/",
        "email": "/account/email/",
        "email-confirm": f"/account/email/{MAILED_TOKEN}/",
        "account-delete": "/account/delete/",
        "activity": "/account/activity/",
        "audit-filtered": f"{organisation}/audit/?group=variable&q=stripe",
        "audit-nothing-found": f"{organisation}/audit/?q=nowhere",
        "status": "/status/",
        "operator": "/operator/",
        "operator-incidents": "/operator/incidents/",
        "operator-people": "/operator/people/",
        "operator-audit": "/operator/audit/",
        "not-found": "/applications/there-is-none/",
    }


def editors_pages(agency: Agency) -> dict[str, str]:
    """The same for the site editor."""
    return {
        "sites": "/sites/",
        "site": f"/sites/{agency.slug}/",
        "site-not-live": "/sites/velo-workshop/",
        "second-factor-needed": "/sites/harbour-lights/",
        "editors-profile": "/account/",
        "editors-organisations": "/organisations/",
        "application-new-nowhere": "/applications/new/",
    }
