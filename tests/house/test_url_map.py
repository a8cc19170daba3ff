"""Every endpoint names the right it needs, or stands in the list of public ones below."""

from __future__ import annotations

from flask import Flask

from app.factory import create_internal_app
from app.permissions import Permission
from app.web.access import unguarded_endpoints
from tests.panel import Panel

PUBLIC = {
    "accounts.sign_in",
    # Between password and second factor nobody is signed in; the views ask for the right password.
    "security.second_step",
    "security.sign_in_options",
    # Holding the link is the key; the views look for what it names.
    "invitations.accept",
    "invitations.invitation",
    "invitations.sign_out",
    "organisations.sign_up",
    "overview.health",
    "overview.home",
    "platform_status.status",
    "platform_status.status_json",
    "recovery.forgotten_password",
    "recovery.new_password",
    "recovery.open_reset_link",
    # Programs show a token, which the views themselves check; pip knows a secret address.
    "legacy.addons",
    "legacy.register",
    "legacy.serve",
    "legacy.upload",
    # The same; files are sent to and fetched from addresses that nobody can guess.
    "client_applications.application",
    "client_applications.applications",
    "client_applications.environment",
    "client_applications.environments",
    "client_applications.me",
    "client_applications.repository",
    "client_applications.service_instances",
    "client_backups.backup",
    "client_backups.backup_restore",
    "client_backups.restore",
    "client_backups.service_instance_backup",
    "client_backups.take",
    "client_transfers.begin",
    "client_transfers.download",
    "client_transfers.downloads",
    "client_transfers.fetch",
    "client_transfers.finish",
    "client_transfers.prepare",
    "client_transfers.send",
    # A Git client shows a token, which the view itself checks.
    "repositories.serve",
    "repositories.upload_pack",
    "repositories.receive_pack",
}
INTERNAL = {"routes.feed", "routes.loaded"}
"""On the internal listener; an ingress node shows a token, which the view itself checks."""


def public_endpoints(app: Flask) -> set[str]:
    return {
        name
        for name, view in app.view_functions.items()
        if getattr(view, "is_public", False) and not name.endswith("static")
    }


def test_every_endpoint_names_a_permission_or_is_public(panel: Panel) -> None:
    assert unguarded_endpoints(panel.app) == []
    assert public_endpoints(panel.app) == PUBLIC


def test_permissions_of_endpoints_exist(panel: Panel) -> None:
    named = [
        view.permission for view in panel.app.view_functions.values() if hasattr(view, "permission")
    ]
    assert named and all(isinstance(permission, Permission) for permission in named)


def test_the_internal_listener_knows_the_feed_only(panel: Panel) -> None:
    internal = create_internal_app(panel.settings, panel.adapters)
    assert unguarded_endpoints(internal) == []
    assert public_endpoints(internal) == INTERNAL
    assert internal.test_client().get("/account/sign-in/").status_code == 404


def test_the_panel_does_not_serve_the_feed(panel: Panel) -> None:
    assert panel.client().get("/feed").status_code == 404
