"""Makes the Flask apps: the panel, and the internal one that ingress agents talk to."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from flask import Flask
from flask_bootstrap import Bootstrap5
from flask_login import LoginManager

from app import cli, keyrings
from app.accounts import queries as accounts
from app.accounts.views import blueprint as accounts_blueprint
from app.adapters.engine.docker import DockerEngine
from app.adapters.git.store import DiskRepositoryStore
from app.adapters.image_builder.docker import DockerImageBuilder
from app.adapters.job_queue.redis import RedisJobQueue
from app.applications.views import blueprint as applications_blueprint
from app.config import Settings
from app.deployments import jobs
from app.deployments.environment_views import blueprint as environments_blueprint
from app.deployments.views import blueprint as deployments_blueprint
from app.errors import PanelError
from app.extensions import babel, csrf, db, limiter, login_manager, migrate
from app.installation import EXTENSION, Adapters, Installation
from app.lifecycle.views import blueprint as lifecycle_blueprint
from app.organisations.views import blueprint as organisations_blueprint
from app.overview.views import blueprint as overview_blueprint
from app.repositories.views import blueprint as repositories_blueprint
from app.routes.views import blueprint as routes_blueprint
from app.runtime.views import blueprint as runtime_blueprint
from app.web.frame import install_frame

ROOT = Path(__file__).parent.parent
PAGES = (
    accounts_blueprint,
    organisations_blueprint,
    lifecycle_blueprint,
    overview_blueprint,
    applications_blueprint,
    environments_blueprint,
    runtime_blueprint,
    deployments_blueprint,
    repositories_blueprint,
)
FORM_BYTES = 2 * 1024**2
JOBS = (jobs,)
"""Rooms whose jobs listen to signals: imported so that they do in every process."""


def create_app(settings: Settings | None = None, adapters: Adapters | None = None) -> Flask:
    """The panel: pages and Git over HTTP. Adapters default to the real ones."""
    app = _create_base(settings or Settings.read(), adapters)
    _install_sessions(app)
    csrf.init_app(app)
    limiter.init_app(app)
    babel.init_app(app)
    Bootstrap5(app)
    migrate.init_app(app, db, directory=str(ROOT / "migrations"))
    install_frame(app)
    for blueprint in PAGES:
        app.register_blueprint(blueprint)
    # A Git client has a token instead of a session: nothing to forge, and no form to throttle.
    csrf.exempt(repositories_blueprint)
    limiter.exempt(repositories_blueprint)
    app.cli.add_command(cli.panel)
    return app


def create_internal_app(settings: Settings, adapters: Adapters | None = None) -> Flask:
    """The internal listener: the ingress feed. It knows no session of the panel."""
    app = _create_base(settings, adapters)
    app.register_error_handler(PanelError, lambda error: (f"{error.sentence}\n", error.status))
    app.register_blueprint(routes_blueprint)
    return app


def real_adapters(settings: Settings) -> Adapters:
    """Docker, Git on disk and Redis, as the settings say; nothing is contacted yet."""
    return Adapters(
        engine=DockerEngine(settings.docker_url),
        image_builder=DockerImageBuilder(settings.docker_url),
        repositories=DiskRepositoryStore(settings.data_dir / "repositories", settings.push_bytes),
        job_queue=RedisJobQueue(settings.redis_url),
    )


def _create_base(settings: Settings, adapters: Adapters | None) -> Flask:
    """What both apps share: configuration, database and key ring."""
    app = Flask("app", template_folder=str(ROOT / "templates"), static_folder=str(ROOT / "static"))
    app.config.from_mapping(_flask_configuration(settings))
    keyrings.RINGS.site = keyrings.KeyRing.kept_in(settings.data_dir / "secrets" / "site.keys")
    app.extensions[EXTENSION] = Installation(settings, adapters or real_adapters(settings))
    db.init_app(app)
    return app


def _flask_configuration(settings: Settings) -> dict[str, object]:
    if settings.uses_sqlite:
        Path(settings.database_url.removeprefix("sqlite:///")).parent.mkdir(
            parents=True, exist_ok=True
        )
    return {
        "SECRET_KEY": settings.secret_key,
        "SQLALCHEMY_DATABASE_URI": settings.database_url,
        "MAX_FORM_MEMORY_SIZE": FORM_BYTES,
        "SESSION_COOKIE_NAME": "__Host-session" if settings.is_https else "session",
        "SESSION_COOKIE_SECURE": settings.is_https,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "REMEMBER_COOKIE_NAME": "__Host-remember" if settings.is_https else "remember",
        "REMEMBER_COOKIE_SECURE": settings.is_https,
        "REMEMBER_COOKIE_SAMESITE": "Lax",
        "WTF_CSRF_TIME_LIMIT": None,
        "WTF_CSRF_SSL_STRICT": settings.is_https,
        "RATELIMIT_STORAGE_URI": "memory://" if settings.is_testing else _limits_url(settings),
        "RATELIMIT_IN_MEMORY_FALLBACK_ENABLED": True,
        "RATELIMIT_ENABLED": True,
        "TESTING": settings.is_testing,
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
    manager.user_loader(accounts.find_session_user)
