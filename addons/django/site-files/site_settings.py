"""Settings of every Django site here. Written by the control panel: edits are lost.

All that differs between environments comes from variables; the rest from the addon's form.
"""

import os
import re
from pathlib import Path

IS_BUILD = os.environ.get("DJANGO_MODE") == "build"
"""While an image is built there are no services and no secrets."""
TITLE = "addons.django.health.site_title"


def to_settings(data, settings):
    base = Path(settings["BASE_DIR"])
    debug = os.environ.get("DEBUG", "False").lower() in ("1", "true", "yes", "on")
    settings.update(
        DEBUG=debug,
        SECRET_KEY=_secret_key(debug),
        ROOT_URLCONF="urls",
        WSGI_APPLICATION="wsgi.application",
        INSTALLED_APPS=[
            "django.contrib.admin",
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "django.contrib.messages",
            "whitenoise.runserver_nostatic",
            "django.contrib.staticfiles",
        ],
        MIDDLEWARE=[
            "django.middleware.security.SecurityMiddleware",
            "whitenoise.middleware.WhiteNoiseMiddleware",
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.locale.LocaleMiddleware",
            "django.middleware.common.CommonMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
            "django.middleware.clickjacking.XFrameOptionsMiddleware",
        ],
        TEMPLATES=[_templates(base)],
        DATABASES={"default": _database(base)},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        LOGGING=_logging(),
    )
    _settings_of_form(data, settings)
    _settings_of_hosts(data, settings, debug)
    _settings_of_files(data, settings, base)
    return settings


def _settings_of_form(data, settings):
    language = data.get("language") or "en"
    settings.update(
        SITE_TITLE=data.get("site_title") or "My site",
        LANGUAGE_CODE=language,
        TIME_ZONE=data.get("time_zone") or "UTC",
        USE_TZ=True,
        USE_I18N=True,
    )


def _settings_of_hosts(data, settings, debug):
    named = " ".join(
        os.environ.get(name, "") for name in ("DOMAIN", "DOMAIN_ALIASES", "ALLOWED_HOSTS")
    )
    hosts = [
        host for host in re.split(r"[\s,]+", f"{named} {data.get('more_hosts') or ''}") if host
    ]
    settings.update(
        ALLOWED_HOSTS=list(dict.fromkeys(hosts)) or (["*"] if debug or IS_BUILD else ["localhost"]),
        CSRF_TRUSTED_ORIGINS=[f"https://{'*' if host[0] == '.' else ''}{host}" for host in hosts],
        SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "https"),
    )
    if data.get("https_only"):
        settings.update(
            SECURE_SSL_REDIRECT=True,
            SECURE_REDIRECT_EXEMPT=[r"^health/$"],
            SECURE_HSTS_SECONDS=3600,
            SESSION_COOKIE_SECURE=True,
            CSRF_COOKIE_SECURE=True,
        )


def _settings_of_files(data, settings, base):
    """Static files are collected into the image and served by whitenoise."""
    is_hashed = data.get("hash_static_files", True) and not settings["DEBUG"]
    kind = "CompressedManifestStaticFilesStorage" if is_hashed else "CompressedStaticFilesStorage"
    settings.update(
        STATIC_URL="/static/",
        STATIC_ROOT=str(base / "staticfiles"),
        STATICFILES_DIRS=[str(base / "static")] if (base / "static").is_dir() else [],
        MEDIA_URL="/media/",
        MEDIA_ROOT=str(base / "media"),
        STORAGES={
            "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
            "staticfiles": {"BACKEND": f"whitenoise.storage.{kind}"},
        },
    )


def _secret_key(debug):
    key = os.environ.get("SECRET_KEY", "")
    if not key and (debug or IS_BUILD):
        return "not-secret: for building and for trying out only"
    return key


def _templates(base):
    return {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [str(base / "templates")],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.debug",
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                TITLE,
            ]
        },
    }


def _database(base):
    """The service's, or a file in the container that lives as long as the container does."""
    address = os.environ.get("DATABASE_URL") or os.environ.get("DEFAULT_DATABASE_DSN")
    if not address or IS_BUILD:
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": str(base / "site.sqlite3")}
    import dj_database_url

    return dj_database_url.parse(address, conn_max_age=60)


def _logging():
    """To the standard error stream, where the panel reads it."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {"console": {"class": "logging.StreamHandler"}},
        "root": {"handlers": ["console"], "level": "INFO"},
    }
