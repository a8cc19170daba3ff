"""A PostgreSQL database for the site, and the driver that Django talks to it with."""

from __future__ import annotations

import re

from app.addons.api import (
    AddonInfo,
    Field,
    Requirement,
    Rights,
    Service,
    ServiceKind,
    Settings,
    SettingsError,
    Site,
    Visibility,
    hookimpl,
)

WORD = re.compile(r"[a-z][a-z0-9_-]*\Z")
PREFIX = re.compile(r"[A-Z][A-Z0-9_]*\Z")


@hookimpl
def addon_info() -> AddonInfo:
    return AddonInfo(
        package_name="postgres",
        name="PostgreSQL",
        version="1.0",
        summary="Gives the site a PostgreSQL database.",
        licence="BSD-3-Clause",
        author="Moonbase",
        categories=("Databases",),
        rights=Rights(
            reads_variables=("DATABASE_URL", "DEFAULT_DATABASE_DSN"),
            services=(ServiceKind.POSTGRESQL,),
            has_requirements=True,
        ),
    )


@hookimpl
def settings_form() -> tuple[Field, ...]:
    return (
        Field(
            "extensions",
            "Extensions",
            required=False,
            initial="",
            help_text="Of the database, with commas between, e.g. citext, hstore.",
        ),
        Field(
            "prefix",
            "Name of the database",
            initial="DEFAULT",
            help_text="The address is in the variable of this name with _DATABASE_DSN behind it.",
            visibility=Visibility.ADVANCED,
        ),
    )


@hookimpl
def clean_settings(settings: Settings) -> Settings:
    words = _words(settings.get("extensions"))
    sentences = {}
    wrong = [word for word in words if not WORD.match(word)]
    if wrong:
        sentences["extensions"] = f"“{wrong[0]}” is no name of an extension."
    if not PREFIX.match(str(settings.get("prefix"))):
        sentences["prefix"] = "Capital letters, digits and “_”, a letter first."
    if sentences:
        raise SettingsError(sentences)
    return {**settings, "extensions": ", ".join(words)}


def _words(value: object) -> list[str]:
    return [word for word in re.split(r"[\s,]+", str(value or "").lower()) if word]


@hookimpl
def contribute_requirements(site: Site) -> tuple[Requirement, ...]:
    return (Requirement("psycopg[binary]~=3.2"),)


@hookimpl
def contribute_services(site: Site) -> tuple[Service, ...]:
    words = _words(site.settings.get("extensions"))
    options = {"extensions": ",".join(words)} if words else {}
    return (
        Service(ServiceKind.POSTGRESQL, str(site.settings.get("prefix") or "DEFAULT"), options),
    )
