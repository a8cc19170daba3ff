"""Tells Sentry of errors of the site."""

from __future__ import annotations

from pathlib import Path

from app.addons.api import (
    AddonInfo,
    Field,
    FieldType,
    File,
    Requirement,
    Rights,
    Site,
    Variable,
    Visibility,
    hookimpl,
)

FILES = Path(__file__).parent / "site-files"
RATES = (
    ("0", "none"),
    ("0.01", "1 of 100"),
    ("0.1", "1 of 10"),
    ("0.5", "half of them"),
    ("1", "all"),
)


@hookimpl
def addon_info() -> AddonInfo:
    return AddonInfo(
        package_name="sentry",
        name="Sentry",
        version="1.0",
        summary="Tells you of errors of the site before visitors do.",
        licence="BSD-3-Clause",
        author="Moonbase",
        categories=("Monitoring",),
        rights=Rights(
            reads_variables=("STAGE",),
            writes_variables=("SENTRY_DSN", "SENTRY_ENVIRONMENT", "SENTRY_TRACES_SAMPLE_RATE"),
            has_requirements=True,
        ),
    )


@hookimpl
def settings_form() -> tuple[Field, ...]:
    return (
        Field(
            "dsn",
            "DSN",
            variable="SENTRY_DSN",
            is_secret=True,
            help_text="From the settings of the project at Sentry: Client Keys.",
        ),
        Field(
            "environment",
            "Name of the environment",
            required=False,
            initial="",
            max_length=64,
            help_text="Empty: test, live, and so on, as here.",
            visibility=Visibility.ADVANCED,
        ),
        Field(
            "sample_rate",
            "Requests whose speed is measured",
            FieldType.SELECT,
            initial="0",
            choices=RATES,
            variable="SENTRY_TRACES_SAMPLE_RATE",
        ),
        Field(
            "has_people",
            "Send who was signed in",
            FieldType.CHECKBOX,
            required=False,
            initial=False,
            help_text="Sentry then keeps names and addresses of people.",
            visibility=Visibility.DANGEROUS,
        ),
    )


@hookimpl
def contribute_variables(site: Site) -> tuple[Variable, ...]:
    name = str(site.settings.get("environment") or site.stage)
    return (Variable("SENTRY_ENVIRONMENT", name),) if name else ()


@hookimpl
def contribute_requirements(site: Site) -> tuple[Requirement, ...]:
    return (Requirement("sentry-sdk~=2.20"),)


@hookimpl
def contribute_files(site: Site) -> tuple[File, ...]:
    text = (FILES / "site_settings.py").read_text()
    return (File("addons/sentry/site_settings.py", text, is_managed=True),)
