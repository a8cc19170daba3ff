"""A cache that all containers of the site share."""

from __future__ import annotations

from pathlib import Path

from app.addons.api import (
    AddonInfo,
    Field,
    FieldType,
    File,
    Requirement,
    Rights,
    Service,
    ServiceKind,
    Site,
    hookimpl,
)

FILES = Path(__file__).parent / "site-files"


@hookimpl
def addon_info() -> AddonInfo:
    return AddonInfo(
        package_name="redis-cache",
        name="Redis cache",
        version="1.0",
        summary="Makes pages faster with a cache all containers share.",
        licence="BSD-3-Clause",
        author="Moonbase",
        categories=("Caching",),
        rights=Rights(
            reads_variables=("DEFAULT_CACHE_URL",),
            services=(ServiceKind.REDIS,),
            has_requirements=True,
        ),
    )


@hookimpl
def settings_form() -> tuple[Field, ...]:
    return (
        Field(
            "seconds",
            "Seconds a value is kept",
            FieldType.NUMBER,
            initial=300,
            min_value=1,
            max_value=2592000,
            help_text="Where the site's code says nothing else.",
        ),
        Field(
            "has_sessions",
            "Keep sessions in the cache too",
            FieldType.CHECKBOX,
            required=False,
            initial=False,
            help_text="Faster; people have to sign in again when the cache is emptied.",
        ),
    )


@hookimpl
def contribute_requirements(site: Site) -> tuple[Requirement, ...]:
    return (Requirement("redis>=5,<9"),)


@hookimpl
def contribute_services(site: Site) -> tuple[Service, ...]:
    return (Service(ServiceKind.REDIS),)


@hookimpl
def contribute_files(site: Site) -> tuple[File, ...]:
    text = (FILES / "site_settings.py").read_text()
    return (File("addons/redis-cache/site_settings.py", text, is_managed=True),)
