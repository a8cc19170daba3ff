"""A MySQL database for the site, and a driver that needs no compiler."""

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
COLLATIONS = (
    ("utf8mb4_unicode_ci", "By the rules of Unicode, capitals alike"),
    ("utf8mb4_general_ci", "Simple and fast, capitals alike"),
    ("utf8mb4_bin", "By the codes of the characters"),
)


@hookimpl
def addon_info() -> AddonInfo:
    return AddonInfo(
        package_name="mysql",
        name="MySQL",
        version="1.0",
        summary="Gives the site a MySQL database.",
        licence="BSD-3-Clause",
        author="Moonbase",
        categories=("Databases",),
        rights=Rights(
            reads_variables=("DATABASE_URL", "DEFAULT_DATABASE_DSN"),
            services=(ServiceKind.MYSQL,),
            has_requirements=True,
        ),
    )


@hookimpl
def settings_form() -> tuple[Field, ...]:
    return (
        Field(
            "collation",
            "How texts are sorted",
            FieldType.SELECT,
            initial="utf8mb4_unicode_ci",
            choices=COLLATIONS,
        ),
    )


@hookimpl
def contribute_requirements(site: Site) -> tuple[Requirement, ...]:
    return (Requirement("PyMySQL~=1.1"),)


@hookimpl
def contribute_services(site: Site) -> tuple[Service, ...]:
    collation = str(site.settings.get("collation") or "utf8mb4_unicode_ci")
    return (Service(ServiceKind.MYSQL, options={"collation": collation}),)


@hookimpl
def contribute_files(site: Site) -> tuple[File, ...]:
    text = (FILES / "site_settings.py").read_text()
    return (File("addons/mysql/site_settings.py", text, is_managed=True),)
