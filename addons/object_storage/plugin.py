"""Storage for uploaded files, outside of the containers, which forget theirs."""

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
    Visibility,
    hookimpl,
)

FILES = Path(__file__).parent / "site-files"


@hookimpl
def addon_info() -> AddonInfo:
    return AddonInfo(
        package_name="object-storage",
        name="Object storage",
        version="1.0",
        summary="Keeps the files that visitors and editors upload.",
        licence="BSD-3-Clause",
        author="Moonbase",
        categories=("Storage",),
        rights=Rights(
            reads_variables=("DEFAULT_STORAGE_DSN",),
            services=(ServiceKind.OBJECT_STORAGE,),
            has_requirements=True,
        ),
    )


@hookimpl
def settings_form() -> tuple[Field, ...]:
    return (
        Field(
            "is_public",
            "Anybody may read uploaded files",
            FieldType.CHECKBOX,
            required=False,
            initial=True,
            help_text="Otherwise each link ends after the time below.",
        ),
        Field(
            "link_seconds",
            "Seconds a link to a private file works",
            FieldType.NUMBER,
            initial=3600,
            min_value=1,
            max_value=604800,
            visibility=Visibility.ADVANCED,
        ),
    )


@hookimpl
def contribute_requirements(site: Site) -> tuple[Requirement, ...]:
    return (Requirement("django-storages[s3]~=1.14"),)


@hookimpl
def contribute_services(site: Site) -> tuple[Service, ...]:
    access = "public" if site.settings.get("is_public", True) else "private"
    return (Service(ServiceKind.OBJECT_STORAGE, options={"access": access}),)


@hookimpl
def contribute_files(site: Site) -> tuple[File, ...]:
    text = (FILES / "site_settings.py").read_text()
    return (File("addons/object-storage/site_settings.py", text, is_managed=True),)
