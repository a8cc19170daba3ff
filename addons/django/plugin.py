"""A Django site: settings from the environment, gunicorn, whitenoise, migrations, health."""

from __future__ import annotations

import re
import zoneinfo
from pathlib import Path

from app.addons.api import (
    AddonInfo,
    Field,
    FieldType,
    File,
    Fragment,
    NavigationItem,
    ReleaseCommand,
    Requirement,
    Rights,
    Settings,
    SettingsError,
    Site,
    Slot,
    Visibility,
    hookimpl,
)

TEMPLATES = Path(__file__).parent / "site-files"
ONCE = {
    "manage.py": "manage.py",
    "settings.py": "settings.py",
    "urls.py": "urls.py",
    "wsgi.py": "wsgi.py",
    "Dockerfile": "Dockerfile",
    "requirements.in": "requirements.in",
    "templates/home.html": "home.html",
}
"""Files of the site, by the template they come from: the people's own from then on."""
MANAGED = ("django_loader.py", "health.py", "site_settings.py", "start.py")
"""Kept up to date below `addons/django/`."""
LANGUAGES = (
    ("en", "English"),
    ("de", "German"),
    ("fr", "French"),
    ("it", "Italian"),
    ("es", "Spanish"),
    ("pt", "Portuguese"),
    ("nl", "Dutch"),
    ("sv", "Swedish"),
    ("pl", "Polish"),
    ("ja", "Japanese"),
)
HOST = re.compile(r"\.?[a-z0-9-]+(\.[a-z0-9-]+)*\Z")

BASE = """\
FROM moonbase/python:3.11
WORKDIR /app
ENV PIP_USE_PEP517=1
"""
"""The sections behind it hold what the panel writes for every site with Python packages. Some
packages come as source, and this image has no setuptools of its own: pip fetches what they need."""

FIELDS = (
    Field("site_title", "Title of the site", initial="My site", max_length=100),
    Field(
        "language",
        "Language",
        FieldType.SELECT,
        initial="en",
        choices=LANGUAGES,
        help_text="Of dates, numbers and of Django's own texts.",
    ),
    Field(
        "time_zone",
        "Time zone",
        initial="UTC",
        help_text="A name such as Europe/Zurich or America/New_York.",
    ),
    Field(
        "web_workers",
        "Web workers",
        FieldType.NUMBER,
        initial=2,
        min_value=1,
        max_value=16,
        variable="WEB_CONCURRENCY",
        help_text="How many requests one container answers at the same time.",
    ),
    Field(
        "hash_static_files",
        "Let browsers keep static files for ever",
        FieldType.CHECKBOX,
        required=False,
        initial=True,
        help_text="Each file's name then holds a hash of its content.",
        visibility=Visibility.ADVANCED,
    ),
    Field(
        "more_hosts",
        "More host names",
        required=False,
        initial="",
        max_length=1000,
        help_text="Besides the domains of the site, with commas between; .example.com "
        "stands for all below it.",
        visibility=Visibility.ADVANCED,
    ),
    Field(
        "has_aldryn_addons",
        "Load addons with an aldryn_config.py",
        FieldType.CHECKBOX,
        required=False,
        initial=True,
        help_text="Installs aldryn-addons and aldryn-client. Without them a build is "
        "some seconds shorter.",
        visibility=Visibility.ADVANCED,
    ),
    Field(
        "https_only",
        "Only over HTTPS",
        FieldType.CHECKBOX,
        required=False,
        initial=False,
        help_text="Visitors are sent to https://, cookies go nowhere else. Switch it on once all "
        "domains have a certificate.",
        visibility=Visibility.ADVANCED,
    ),
)


@hookimpl
def addon_info() -> AddonInfo:
    return AddonInfo(
        package_name="django",
        name="Django",
        version="1.0",
        summary="Turns an empty repository into a working Django site.",
        licence="BSD-3-Clause",
        author="Moonbase",
        categories=("Web frameworks", "Python"),
        rights=Rights(
            reads_variables=(
                "SECRET_KEY",
                "DEBUG",
                "DOMAIN",
                "DOMAIN_ALIASES",
                "DOMAIN_REDIRECTS",
                "DATABASE_URL",
            ),
            writes_variables=("WEB_CONCURRENCY",),
            slots=(Slot.DOCKER_FROM,),
            files=tuple(ONCE),
            has_release_commands=True,
            has_requirements=True,
        ),
    )


@hookimpl
def settings_form() -> tuple[Field, ...]:
    return FIELDS


@hookimpl
def clean_settings(settings: Settings) -> Settings:
    sentences = {}
    if settings.get("time_zone") not in zoneinfo.available_timezones():
        sentences["time_zone"] = "There is no such time zone. Try one like Europe/Zurich."
    hosts = _hosts(settings.get("more_hosts"))
    wrong = [host for host in hosts if not HOST.match(host)]
    if wrong:
        sentences["more_hosts"] = f"“{wrong[0]}” is no host name."
    if sentences:
        raise SettingsError(sentences)
    return {**settings, "more_hosts": ", ".join(hosts)}


def _hosts(value: object) -> list[str]:
    return [host for host in re.split(r"[\s,]+", str(value or "").lower()) if host]


@hookimpl
def contribute_requirements(site: Site) -> tuple[Requirement, ...]:
    lines = ["Django~=5.2", "gunicorn>=23,<28", "whitenoise~=6.9", "dj-database-url>=2.3,<4"]
    if site.settings.get("has_aldryn_addons", True):
        lines += ["aldryn-addons~=2.1", "aldryn-client~=2.3"]
    return tuple(Requirement(line) for line in lines)


@hookimpl
def contribute_dockerfile(site: Site) -> tuple[Fragment, ...]:
    return (Fragment(Slot.DOCKER_FROM, BASE),)


@hookimpl
def contribute_release_commands(site: Site) -> tuple[ReleaseCommand, ...]:
    return (ReleaseCommand("Bring the database up to date", "python manage.py migrate --noinput"),)


@hookimpl
def contribute_navigation(site: Site) -> tuple[NavigationItem, ...]:
    return (NavigationItem("Administration", "/admin/"),)


@hookimpl
def contribute_files(site: Site) -> tuple[File, ...]:
    once = [
        File(path, (TEMPLATES / name).read_text(), is_executable=path == "manage.py")
        for path, name in ONCE.items()
    ]
    managed = [
        File(f"addons/django/{name}", (TEMPLATES / name).read_text(), is_managed=True)
        for name in MANAGED
    ]
    return (*once, *managed)
