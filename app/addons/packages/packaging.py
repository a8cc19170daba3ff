"""Packaging files to begin an addon with, everything filled in (“How to package a Django
application as an Aldryn addon”). What is downloaded can be uploaded as it is."""

from __future__ import annotations

import io
import json
import zipfile
from string import Template

from app.addons.models import Addon, PackageKind
from app.addons.packages.licences import licence_text
from app.addons.packages.names import inner_name
from app.extensions import now

FIRST_VERSION = "0.0.1"

_SETUP = Template("""\
from setuptools import find_packages, setup

from $module import __version__

setup(
    name=$package_name,
    version=__version__,
    description=$summary,
    author=$author,
    license=$licence,
    packages=find_packages(),
    include_package_data=True,
    # What it needs, with versions, e.g. "example-application==1.8.3".
    install_requires=[],
)
""")
_MANIFEST = Template("""\
include LICENSE
include README.rst
${plugin_line}\
recursive-include $module/boilerplates *
recursive-include $module/locale *
recursive-include $module/static *
recursive-include $module/templates *
""")
_CONFIGURATION = """\
from aldryn_client import forms


class Form(forms.BaseForm):
    # Each field here is one on the page of the site, e.g.:
    #
    # title = forms.CharField("Title of the site", required=False, max_length=60)

    def to_settings(self, data, settings):
        # Runs when the site starts: `data` has the values of the fields.
        return settings
"""
_PLUGIN = Template('''\
"""$summary_comment"""

from app.addons.api import AddonInfo, Field, Rights, hookimpl


@hookimpl
def addon_info():
    return AddonInfo(
        package_name=$package_name,
        name=$name,
        version=$version,
        summary=$summary,
        licence=$licence,
        author=$author,
        # What it asks for; people see this before they install it, and it is held to it.
        rights=Rights(writes_variables=("$variable",)),
    )


@hookimpl
def settings_form():
    # Each field here is one on the page of the site; its variable carries the value to the site.
    return (
        Field(
            name="greeting",
            label="Greeting",
            required=False,
            initial="Hello",
            variable="$variable",
        ),
    )
''')


def packaging_files(addon: Addon, kind: PackageKind = PackageKind.ALDRYN) -> dict[str, str]:
    """The files by path, below the folder that the addon lies in (`addons-dev/<package name>/`)."""
    module, is_plugin = inner_name(addon.package_name), kind == PackageKind.PLUGIN
    files = {
        "addon.json": _addon_json(addon, module, is_plugin),
        "LICENSE": licence_text(addon.licence, addon.author or addon.name, now().year),
        "MANIFEST.in": _MANIFEST.substitute(
            module=module, plugin_line="include plugin.py\n" if is_plugin else ""
        ),
        "README.rst": _readme(addon),
        f"{module}/__init__.py": f"__version__ = {_quoted(FIRST_VERSION)}\n",
        "setup.py": _SETUP.substitute(_words(addon)),
    }
    if is_plugin:
        files["plugin.py"] = _PLUGIN.substitute(_words(addon))
    else:
        files["aldryn_config.py"] = _CONFIGURATION
    return dict(sorted(files.items()))


def packaging_archive(addon: Addon, kind: PackageKind = PackageKind.ALDRYN) -> bytes:
    """The same as a zip file, in one folder of the addon's package name."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, text in packaging_files(addon, kind).items():
            archive.writestr(f"{addon.package_name}/{path}", text)
    return packed.getvalue()


def _words(addon: Addon) -> dict[str, str]:
    """What the templates are filled with: Python literals but for the names of modules."""
    module = inner_name(addon.package_name)
    # The docstring holds neither what ends it nor what Python would take for an escape.
    comment = (addon.summary or addon.name).replace("\\", "/").replace('"', "'")
    return {
        "module": module,
        "variable": f"{module.upper()}_GREETING",
        "package_name": _quoted(addon.package_name),
        "name": _quoted(addon.name),
        "version": _quoted(FIRST_VERSION),
        "summary": _quoted(" ".join((addon.summary or addon.name).split())),
        "summary_comment": " ".join(comment.split()),
        "author": _quoted(addon.author),
        "licence": _quoted(addon.licence),
    }


def _quoted(text: str) -> str:
    """A Python literal in double quotes; JSON's escapes are Python's as well."""
    return json.dumps(text, ensure_ascii=False)


def _addon_json(addon: Addon, module: str, is_plugin: bool) -> str:
    content = {"package-name": addon.package_name}
    apps: dict[str, object] = {} if is_plugin else {"installed-apps": [module]}
    return json.dumps({**content, **apps}, indent=4) + "\n"


def _readme(addon: Addon) -> str:
    """A title and the summary, as reStructuredText."""
    line = "=" * len(addon.name.encode())
    return f"{line}\n{addon.name}\n{line}\n\n{addon.summary}\n".rstrip("\n") + "\n"
