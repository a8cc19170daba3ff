"""What a package must be to be taken, checked on what the sandbox found in its archive."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from app.adapters.sandbox import Reason, SandboxFailed
from app.addons.api import AddonInfo, Field
from app.addons.contributions import is_platform_variable
from app.addons.models import PackageKind
from app.addons.packages.findings import Finding
from app.addons.packages.names import inner_name

VERSION_LENGTH = 60
PACKAGE = "package.tar.gz"


@dataclass(frozen=True)
class Text:
    """A file by its name in the package."""

    file: str
    text: str


@dataclass(frozen=True)
class Package:
    """What a source distribution says of itself. It lies at `offset` (bytes) of the unpacked
    archive; `lines` are those of setup.py where name and version stand."""

    offset: int
    size: int
    sha256: str
    is_readable: bool
    name: str
    version: str
    summary: str
    author: str
    licence: str
    lines: dict[str, int]
    modules: list[str]
    templates: dict[str, dict[str, str]]
    texts: dict[str, Text]

    def text(self, name: str) -> str:
        """Of `readme`, `changes`, `licence` or `plugin.py`; empty without one."""
        return self.texts[name].text if name in self.texts else ""


@dataclass(frozen=True)
class Facts:
    """The sandbox's answer to what is in an archive: its shape, and no more, is checked."""

    findings: list[Finding]
    texts: dict[str, str]
    package: Package | None
    is_whole: bool


@dataclass
class Inspected:
    """What an archive holds, as far as it is to be believed, and what is wrong with it."""

    findings: list[Finding]
    kind: PackageKind = PackageKind.ALDRYN
    source: str = ""
    """Of `aldryn_config.py` or `plugin.py`; empty for a package without configuration."""
    source_file: str = ""
    version: str = ""
    """In its normal form (PEP 440)."""
    addon_json: dict[str, Any] = field(default_factory=dict)
    addon_json_text: str = ""
    licence_text: str = ""
    package: Package | None = None

    @property
    def is_refused(self) -> bool:
        return any(not finding.is_warning for finding in self.findings)

    def add(
        self, sentence: str, file: str = "", line: int = 0, *, is_warning: bool = False
    ) -> None:
        self.findings.append(Finding(sentence, file, line, is_warning))


def inspect_facts(answer: object, package_name: str, taken: Iterable[str]) -> Inspected:
    """Hold what the sandbox found against the rules. `taken` are the versions there are already.

    All that is wrong comes together, so that nobody has to upload ten times to learn ten things.
    """
    try:
        facts = msgspec.convert(answer, Facts, strict=True)
    except msgspec.ValidationError as error:
        sentence = "The archive could not be looked into."
        raise SandboxFailed(Reason.NONSENSE, sentence, str(error)) from error
    texts = facts.texts
    found = Inspected(facts.findings, package=facts.package)
    if not facts.is_whole:
        return found  # of what was not read nothing can be said
    _choose_configuration(found, texts)
    _check_addon_json(found, texts, package_name)
    _check_version(found, texts, taken)
    _check_licence(found, texts)
    if found.package and found.package.is_readable:
        _check_package(found, found.package, package_name)
    elif not found.package and not (found.kind == PackageKind.PLUGIN and found.source):
        found.add("The archive has no package.tar.gz.", PACKAGE)
    return found


def _choose_configuration(found: Inspected, texts: Mapping[str, str]) -> None:
    """`plugin.py` beside addon.json, or at the top of the source distribution, where a module of
    that name may also be something else: then it is one of ours if it says so."""
    inner = found.package.text("plugin.py") if found.package else ""
    if "plugin.py" in texts and "aldryn_config.py" in texts:
        found.add("Only one of aldryn_config.py and plugin.py can say how it is set.", "plugin.py")
    if "plugin.py" in texts:
        found.kind, found.source_file = PackageKind.PLUGIN, "plugin.py"
        found.source = texts["plugin.py"]
    elif "aldryn_config.py" in texts:
        found.source, found.source_file = texts["aldryn_config.py"], "aldryn_config.py"
    elif "hookimpl" in inner:
        found.kind, found.source_file, found.source = PackageKind.PLUGIN, "plugin.py", inner


def _check_addon_json(found: Inspected, texts: Mapping[str, str], package_name: str) -> None:
    name = "addon.json"
    if name not in texts:
        if not any(finding.file == name for finding in found.findings):
            found.add("The archive has no addon.json.", name)
        return
    try:
        content = json.loads(texts[name])
    except json.JSONDecodeError as error:
        found.add(f"This is not JSON: {error.msg}.", name, error.lineno)
        return
    except (RecursionError, ValueError):
        found.add("This is not JSON that can be read.", name)
        return
    if not isinstance(content, dict):
        found.add('It must be a JSON object, e.g. {"package-name": "…"}.', name)
        return
    found.addon_json, found.addon_json_text = content, texts[name]
    given = content.get("package-name")
    line = _line_of(texts[name], '"package-name"')
    if given is None:
        found.add(f"The key “package-name” is missing; it must be “{package_name}”.", name)
    elif given != package_name:
        shown = str(given)[:80]
        found.add(f"“package-name” is “{shown}”; this addon is “{package_name}”.", name, line)
    apps = content.get("installed-apps", [])
    if not isinstance(apps, list) or not all(isinstance(app, str) for app in apps):
        line = _line_of(texts[name], '"installed-apps"')
        found.add("“installed-apps” must be a list of texts.", name, line)


def _line_of(text: str, words: str) -> int:
    place = text.find(words)
    return text.count("\n", 0, place) + 1 if place >= 0 else 0


def _check_version(found: Inspected, texts: Mapping[str, str], taken: Iterable[str]) -> None:
    text = texts.get("VERSION", "").strip()
    if not text:
        found.add("The archive has no VERSION, or it is empty.", "VERSION")
        return
    version = _parse(text)
    if version is None or len(text) > VERSION_LENGTH:
        shown = text[:VERSION_LENGTH]
        found.add(f"“{shown}” is not a version, such as 1.8.3.1 (PEP 440).", "VERSION", 1)
        return
    found.version = str(version)
    if is_taken(found.version, taken):
        found.add(
            f"Version {text} is there already, and never changes. Give this one another number.",
            "VERSION",
            1,
        )


def is_taken(version: str, taken: Iterable[str]) -> bool:
    """Whether one of them is the same version, however it is written: 1.0 is 1.0.0."""
    return any(_parse(other) == Version(version) for other in taken)


def _parse(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None


def _check_licence(found: Inspected, texts: Mapping[str, str]) -> None:
    inner = found.package.text("licence") if found.package else ""
    found.licence_text = texts.get("LICENSE.txt", "").strip() or inner.strip()
    if not found.licence_text:
        found.add(
            "There is no licence. Say what others may do with it, in a file LICENSE beside "
            "setup.py.",
            "LICENSE",
        )


def _check_package(found: Inspected, package: Package, package_name: str) -> None:
    name, version, lines = package.name, package.version, package.lines
    if name and canonicalize_name(name) != canonicalize_name(package_name):
        shown = name[:80]
        found.add(
            f"setup.py calls the package “{shown}”; this addon is “{package_name}”.",
            "setup.py",
            lines.get("name", 0),
        )
    if version and found.version and _parse(version) != Version(found.version):
        shown = version[:80]
        found.add(
            f"setup.py says version “{shown}”, VERSION says “{found.version}”. Both must agree.",
            "setup.py",
            lines.get("version", 0),
        )
    if inner_name(package_name) not in package.modules:
        found.add(
            f"There is no folder “{inner_name(package_name)}” with an __init__.py: sites will not "
            "have copies of its templates to edit.",
            is_warning=True,
        )
    if not package.text("readme").strip():
        found.add("There is no README: say what the addon does.", "README.rst", is_warning=True)
    if not found.source:
        found.add("Without aldryn_config.py it has no settings.", is_warning=True)


def check_info(found: Inspected, info: AddonInfo | None, package_name: str) -> None:
    """`addon_info()` of a plugin must say the same as all else."""
    file = found.source_file
    if info is None:
        found.add("The plugin has no addon_info(): it must say who it is.", file)
        return
    if info.package_name != package_name:
        shown = info.package_name[:80]
        found.add(f"addon_info() says “{shown}”; this addon is “{package_name}”.", file)
    if found.version and _parse(info.version) != Version(found.version):
        shown = info.version[:80]
        found.add(
            f"addon_info() says version “{shown}”, VERSION says “{found.version}”. Both must "
            "agree.",
            file,
        )


def check_variables(found: Inspected, info: AddonInfo | None, fields: Iterable[Field]) -> None:
    """What fields of the form put into variables must be among what it asks for, or no site could
    install it."""
    asked = info.rights.writes_variables if info else ()
    for row in fields:
        if row.variable and is_platform_variable(row.variable):
            found.add(f"No addon may set the variable {row.variable}.", found.source_file)
        elif row.variable and row.variable not in asked:
            found.add(
                f"The field “{row.name}” sets the variable {row.variable}, which is not among "
                "the rights it asks for: add it to writes_variables.",
                found.source_file,
            )


_PLACE = re.compile(r'File "(?:[^"\n]*/)?(aldryn_config|plugin)\.py", line (\d+)')


def place_in(detail: str, source_file: str) -> tuple[str, int]:
    """File and line that a traceback ends in, as far as they are the package's own."""
    places = _PLACE.findall(detail)
    return (f"{places[-1][0]}.py", int(places[-1][1])) if places else (source_file, 0)
