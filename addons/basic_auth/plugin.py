"""One name and password in front of the whole site, e.g. before it is public."""

from __future__ import annotations

import re
from pathlib import Path

from app.addons.api import (
    AddonInfo,
    Field,
    FieldType,
    File,
    Rights,
    Settings,
    SettingsError,
    Site,
    Variable,
    hookimpl,
)

FILES = Path(__file__).parent / "site-files"
MANAGED = ("middleware.py", "site_settings.py")
PLACES = (
    ("all", "In all environments"),
    ("not-live", "Everywhere but on Live"),
)


@hookimpl
def addon_info() -> AddonInfo:
    return AddonInfo(
        package_name="basic-auth",
        name="Password for the site",
        version="1.0",
        summary="Asks every visitor for a name and a password.",
        licence="BSD-3-Clause",
        author="Moonbase",
        categories=("Security",),
        rights=Rights(
            writes_variables=("BASIC_AUTH_PLACE", "BASIC_AUTH_USER", "BASIC_AUTH_PASSWORD"),
        ),
        needs=("django",),
    )


@hookimpl
def settings_form() -> tuple[Field, ...]:
    return (
        Field("user", "Name", max_length=64, variable="BASIC_AUTH_USER"),
        Field(
            "password",
            "Password",
            min_length=8,
            max_length=128,
            variable="BASIC_AUTH_PASSWORD",
            is_secret=True,
        ),
        Field("place", "Where", FieldType.SELECT, initial="not-live", choices=PLACES),
        Field(
            "open_paths",
            "Addresses open to all",
            FieldType.LONG_TEXT,
            required=False,
            initial="/health/",
            help_text="One on each line, e.g. /health/; what is below it is open too.",
        ),
    )


@hookimpl
def clean_settings(settings: Settings) -> Settings:
    if ":" in str(settings.get("user")):
        raise SettingsError({"user": "Browsers cannot send a name with a colon."})
    paths = [path for path in re.split(r"\s+", str(settings.get("open_paths") or "")) if path]
    wrong = [path for path in paths if not path.startswith("/")]
    if wrong:
        raise SettingsError({"open_paths": f"“{wrong[0]}” does not begin with “/”."})
    return {**settings, "open_paths": "\n".join(paths)}


@hookimpl
def contribute_variables(site: Site) -> tuple[Variable, ...]:
    is_here = site.settings.get("place") == "all" or site.stage != "live"
    return (Variable("BASIC_AUTH_PLACE", "here" if is_here else "elsewhere"),)


@hookimpl
def contribute_files(site: Site) -> tuple[File, ...]:
    return tuple(
        File(f"addons/basic-auth/{name}", (FILES / name).read_text(), is_managed=True)
        for name in MANAGED
    )
