"""Makes the Flask apps: the panel, and the internal one that ingress agents talk to."""

from __future__ import annotations

from urllib.parse import quote

from flask import Flask
from flask_login import LoginManager
from werkzeug.middleware.proxy_fix import ProxyFix

from app.accounts.access import load_signed_in
from app.accounts.recovery_views import blueprint as recovery_blueprint
from app.accounts.security_views import blueprint as security_blueprint
from app.accounts.sessions import note_presence
from app.accounts.sign_ins import KEPT
from app.accounts.views import blueprint as accounts_blueprint
from app.addons.author_views import blueprint as addons_blueprint
from app.addons.brought import AddonTeller
from app.addons.legacy_views import blueprint as legacy_blueprint
from app.addons.marketplace_views import blueprint as marketplace_blueprint
from app.addons.version_views import blueprint as addon_versions_blueprint
from app.applications.views import blueprint as applications_blueprint
from app.background import create_background_app
from app.backups.download_views import blueprint as downloads_blueprint
from app.backups.restore_views import blueprint as restoring_blueprint
from app.backups.site_views import blueprint as site_backups_blueprint
from app.backups.views import blueprint as backups_blueprint
from app.client_api.application_views import blueprint as client_applications_blueprint
from app.client_api.backup_views import blueprint as client_backups_blueprint
from app.client_api.transfer_views import blueprint as client_transfers_blueprint
from app.config import Settings
from app.cron.views import blueprint as cron_blueprint
from app.deployments.environment_views import blueprint as environments_blueprint
from app.deployments.views import blueprint as deployments_blueprint
from app.errors import PanelError
from app.installation import EXTENSION, Adapters
from app.lifecycle.account_views import blueprint as account_deletion_blueprint
from app.lifecycle.environment_views import blueprint as new_environment_blueprint
from app.lifecycle.organisation_views import blueprint as ownership_blueprint
from app.lifecycle.service_views import blueprint as service_trash_blueprint
from app.lifecycle.trash_views import blueprint as trash_blueprint
from app.lifecycle.views import blueprint as lifecycle_blueprint
from app.organisations.audit_views import blueprint as audit_blueprint
from app.organisations.invitation_views import blueprint as invitations_blueprint
from app.organisations.token_views import blueprint as access_tokens_blueprint
from app.organisations.views import blueprint as organisations_blueprint
from app.overview.many_views import blueprint as many_blueprint
from app.overview.search_views import blueprint as search_blueprint
from app.overview.site_views import blueprint as sites_blueprint
from app.overview.views import blueprint as overview_blueprint
from app.platform_status.operator_views import blueprint as operator_blueprint
from app.platform_status.server_views import blueprint as service_servers_blueprint
from app.platform_status.views import blueprint as status_blueprint
from app.publishing.flavour_views import blueprint as flavours_blueprint
from app.publishing.views import application_pages, site_pages
from app.repositories.views import blueprint as repositories_blueprint
from app.routes.domain_views import blueprint as domains_blueprint
from app.routes.views import blueprint as routes_blueprint
from app.runtime.brought import EXTENSION as BROUGHT
from app.runtime.views import blueprint as runtime_blueprint
from app.services.sharing_views import blueprint as service_shares_blueprint
from app.services.views import blueprint as services_blueprint
from app.web.extensions import babel, csrf, limiter, login_manager
from app.web.frame import install_frame
from app.web.languages import choose_language
from app.workers.views import blueprint as workers_blueprint

PAGES = (
    accounts_blueprint,
    security_blueprint,
    recovery_blueprint,
    access_tokens_blueprint,
    organisations_blueprint,
    invitations_blueprint,
    ownership_blueprint,
    account_deletion_blueprint,
    lifecycle_blueprint,
    new_environment_blueprint,
    trash_blueprint,
    overview_blueprint,
    sites_blueprint,
    search_blueprint,
    many_blueprint,
    applications_blueprint,
    marketplace_blueprint,
    addons_blueprint,
    addon_versions_blueprint,
    environments_blueprint,
    runtime_blueprint,
    domains_blueprint,
    services_blueprint,
    service_shares_blueprint,
    service_trash_blueprint,
    deployments_blueprint,
    backups_blueprint,
    restoring_blueprint,
    downloads_blueprint,
    site_backups_blueprint,
    cron_blueprint,
    workers_blueprint,
    repositories_blueprint,
    flavours_blueprint,
    application_pages,
    site_pages,
    legacy_blueprint,
    client_applications_blueprint,
    client_backups_blueprint,
    client_transfers_blueprint,
    audit_blueprint,
    status_blueprint,
    operator_blueprint,
    service_servers_blueprint,
)
PROGRAMS = (
    repositories_blueprint,
    legacy_blueprint,
    client_applications_blueprint,
    client_backups_blueprint,
    client_transfers_blueprint,
)
"""They show a token instead of a session: nothing to forge, and no form to throttle."""
FORM_BYTES = 2 * 1024**2
LIMITS_PATIENCE = {"socket_connect_timeout": 1, "socket_timeout": 1}
"""Seconds: when Redis hangs, each process counts attempts by itself instead."""


def create_app(settings: Settings | None = None, adapters: Adapters | None = None) -> Flask:
    """The panel: pages and Git over HTTP. Adapters default to the real ones."""
    settings = settings or Settings.read()
    app = create_background_app(settings, adapters)
    app.config.from_mapping(_flask_configuration(settings))
    app.extensions[BROUGHT] = AddonTeller()
    _install_sessions(app)
    csrf.init_app(app)
    limiter.init_app(app)
    babel.init_app(app, locale_selector=choose_language)
    install_frame(app)
    for blueprint in PAGES:
        app.register_blueprint(blueprint)
    for blueprint in PROGRAMS:
        csrf.exempt(blueprint)
        limiter.exempt(blueprint)
    proxies = app.extensions[EXTENSION].settings.proxies
    if proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=proxies)  # type: ignore[method-assign]
    return app


def create_internal_app(settings: Settings, adapters: Adapters | None = None) -> Flask:
    """The internal listener: the ingress feed. It knows no session of the panel."""
    app = create_background_app(settings, adapters)
    app.register_error_handler(PanelError, lambda error: (f"{error.sentence}\n", error.status))
    app.register_blueprint(routes_blueprint)
    return app


def _flask_configuration(settings: Settings) -> dict[str, object]:
    return {
        "SECRET_KEY": settings.secret_key,
        "MAX_FORM_MEMORY_SIZE": FORM_BYTES,
        "SESSION_COOKIE_NAME": "__Host-session" if settings.is_https else "session",
        "SESSION_COOKIE_SECURE": settings.is_https,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "PERMANENT_SESSION_LIFETIME": KEPT,
        # Sent anew with every answer, a late one would bring an older cookie back.
        "SESSION_REFRESH_EACH_REQUEST": False,
        "WTF_CSRF_TIME_LIMIT": None,
        "WTF_CSRF_SSL_STRICT": settings.is_https,
        "RATELIMIT_STORAGE_URI": "memory://" if settings.is_testing else _limits_url(settings),
        "RATELIMIT_STORAGE_OPTIONS": {} if settings.is_testing else LIMITS_PATIENCE,
        "RATELIMIT_IN_MEMORY_FALLBACK_ENABLED": True,
        "RATELIMIT_ENABLED": True,
    }


def _limits_url(settings: Settings) -> str:
    """Redis as Flask-Limiter spells it: `redis+unix://` for a socket."""
    if settings.redis_url.startswith("unix://"):
        return f"redis+unix://{quote(settings.redis_url.removeprefix('unix://'))}"
    return settings.redis_url


def _install_sessions(app: Flask) -> None:
    manager: LoginManager = login_manager
    manager.init_app(app)
    manager.login_view = "accounts.sign_in"
    manager.login_message = None
    manager.user_loader(load_signed_in)
    app.after_request(note_presence)
