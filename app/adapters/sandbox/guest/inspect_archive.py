"""Looks into an uploaded package, inside the sandbox. Standard library only.

The archive is a gzip tar with flat members (`addon.json`, `LICENSE.txt`, `aldryn_config.py`,
`VERSION`, `package.tar.gz`, of ours `plugin.py`); `package.tar.gz` is a source distribution. Both
are read as streams, once, forward: nothing is written and no code of the package runs.
"""

from __future__ import annotations

import ast
import gzip
import hashlib
import json
import tarfile
import zlib
from collections.abc import Iterator
from typing import IO, Any, Protocol

from app.adapters.sandbox.guest.asking import ARCHIVE, Asked

UNPACKED_BYTES = 250 * 1024**2
"""Of the archive and the package in it, together."""
HEADER_BYTES = 1024**2
"""What one read may ask for: a header that is larger is an attack on memory."""
MEMBERS = {"archive": 100, "package.tar.gz": 10_000}
DEPTH = 20
PATH_LENGTH = 255
TEXT_BYTES = {
    "addon.json": 64 * 1024,
    "LICENSE.txt": 128 * 1024,
    "aldryn_config.py": 256 * 1024,
    "plugin.py": 256 * 1024,
    "VERSION": 200,
}
CODE = ("aldryn_config.py", "plugin.py")
README_BYTES = 256 * 1024
CHANGES_BYTES = 64 * 1024
TEMPLATE_BYTES = 256 * 1024
"""Of all templates together; those beyond are left out, with a warning."""
TEMPLATES = 500
FINDINGS = 50
ANSWER_BYTES = 1536 * 1024
"""Of the answer as JSON; the templates are what is left out of a larger one."""
PACKAGE = "package.tar.gz"
_ENDINGS = (".rst", ".md", ".txt", "")
READMES = tuple(f"readme{end}" for end in _ENDINGS)
CHANGES = tuple(f"{name}{end}" for name in ("changelog", "changes", "history") for end in _ENDINGS)
LICENCES = ("license.txt", "license", "licence", "licence.txt", "license.md", "license.rst")
_DAMAGED = (tarfile.TarError, EOFError, OSError, zlib.error, ValueError, OverflowError)


class Readable(Protocol):
    """What a stream must be able to do here."""

    def read(self, size: int = -1, /) -> bytes: ...


class Stopped(Exception):
    """Reading on is no use or not safe."""


class Findings(list[dict[str, Any]]):
    """What the author is told: the first of it, when there is no end."""

    def add(self, sentence: str, file: str = "", line: int = 0, is_warning: bool = False) -> None:
        found = {"sentence": sentence, "file": file, "line": line, "is_warning": is_warning}
        if len(self) < FINDINGS:
            self.append(found)
        elif len(self) == FINDINGS:
            self.append({**found, "sentence": "There is more like this.", "file": "", "line": 0})
        else:
            self[-1]["is_warning"] &= is_warning

    def stop(self, sentence: str, file: str = "") -> None:
        """Why no more was read: said before all else."""
        self.insert(0, {"sentence": sentence, "file": file, "line": 0, "is_warning": False})


class Bounded:
    """A stream that stops when all there is to read has become too much. Forward only."""

    def __init__(self, stream: Readable, left: list[int]) -> None:
        self._stream = stream
        self._left = left
        self._position = 0

    def read(self, size: int = -1) -> bytes:
        if size < 0 or size > HEADER_BYTES:
            raise Stopped("The archive holds a header that is too large.")
        data = self._stream.read(size)
        self._position += len(data)
        self._left[0] -= len(data)
        if self._left[0] < 0:
            limit = UNPACKED_BYTES // 1024**2
            raise Stopped(f"Unpacked, the archive is larger than {limit} MB.")
        return data

    def seek(self, position: int, whence: int = 0) -> int:
        while whence == 0 and self._position < position:
            if not self.read(min(HEADER_BYTES, position - self._position)):
                break
        return self._position

    def tell(self) -> int:
        return self._position


def inspect(asked: Asked) -> dict[str, Any]:
    """The answer to the topic of this name."""
    facts = inspect_archive(ARCHIVE)
    if facts["package"] and len(json.dumps(facts)) > ANSWER_BYTES:
        facts["package"]["templates"] = {}
        facts["findings"].add(
            "The templates are too much: sites will not have copies of them.", "", 0, True
        )
    return facts


def inspect_archive(path: str) -> dict[str, Any]:
    """What is in the archive at `path`, as JSON: `findings`, `texts` of the flat members by name,
    `package` (None without one), what `_inspect_package` gives, and `is_whole`: whether all was
    read."""
    findings = Findings()
    facts: dict[str, Any] = {"findings": findings, "texts": {}, "package": None, "is_whole": False}
    left = [UNPACKED_BYTES]
    try:
        with gzip.open(path) as stream:
            _read_flat(Bounded(stream, left), left, facts)
            facts["is_whole"] = True
    except Stopped as error:
        findings.stop(str(error))
    except _DAMAGED:
        findings.stop("This is not a gzip-compressed tar archive, or it is damaged.")
    return facts


def _read_flat(stream: Bounded, left: list[int], facts: dict[str, Any]) -> None:
    findings, texts = facts["findings"], facts["texts"]
    names: list[str] = []
    for tar, member, name in _members(stream, "archive", findings):
        names.append(name)
        if name == PACKAGE:
            opened = _open(tar, member)
            offset = member.offset_data
            facts["package"] = _inspect_package(opened, left, findings)
            facts["package"] |= {"offset": offset, "size": member.size}
        elif name in TEXT_BYTES:
            text = _text(tar, member, TEXT_BYTES[name], findings, name)
            texts.update({name: text} if text is not None else {})
        elif not name.endswith("/PKG-INFO") and "/" not in name:
            findings.add("This file is not looked at.", name, is_warning=True)
    while stream.read(64 * 1024):
        pass  # to the end: only there the checksum says whether it is whole
    if not names:
        findings.add("The archive is empty.")
    elif PACKAGE not in names and any(name.endswith("/PKG-INFO") for name in names):
        findings.add(
            "This is a source distribution, not an addon’s archive. “divio addon upload” packs one "
            "around it: addon.json, LICENSE.txt, aldryn_config.py, VERSION and package.tar.gz."
        )


def _members(
    stream: Bounded, where: str, findings: Findings
) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo, str]]:
    """The ordinary files that have an acceptable name, in the order they come. Each must be read
    before the next one is asked for. Raises `Stopped` at what nobody packs by accident."""
    seen: set[str] = set()
    with tarfile.open(fileobj=stream, mode="r:") as tar:  # type: ignore[call-overload]
        for number, member in enumerate(tar):
            if number >= MEMBERS[where]:
                raise Stopped(f"The {where} has more than {MEMBERS[where]} files.")
            name = member.name.removeprefix("./")
            if member.isdir() and name in ("", "."):
                continue
            fault = _fault_of_name(name) or _fault_of_kind(member)
            shown = _shown(where, name)
            if fault:
                findings.add(fault, shown)
            elif name in seen and not member.isdir():
                findings.add("The archive has two files of this name.", shown)
            elif member.isfile():
                seen.add(name)
                yield tar, member, name


def _shown(where: str, name: str) -> str:
    path = name.encode("utf-8", "replace").decode()[:PATH_LENGTH]
    return path if where == "archive" else f"{where}/{path}"


def _fault_of_name(name: str) -> str:
    parts = name.split("/")
    if name.startswith("/") or ".." in parts or "\\" in name:
        return "The path leads out of the archive."
    if not name.isprintable() or len(name) > PATH_LENGTH:
        return "The name holds characters that cannot be used, or is too long."
    return f"The file lies more than {DEPTH} folders deep." if len(parts) > DEPTH else ""


def _fault_of_kind(member: tarfile.TarInfo) -> str:
    if member.issym():
        return "Symbolic links are not taken: pack the file itself."
    if member.islnk():
        return "Hard links are not taken: pack the file itself."
    if member.isdev():
        return "Devices and pipes are not taken."
    is_plain = member.isdir() or (member.isreg() and not member.issparse())
    return "" if is_plain else "Only ordinary files and folders are taken."


def _open(tar: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    opened = tar.extractfile(member)
    if opened is None:  # only ordinary files come here
        raise Stopped("The archive holds something that is no file.")
    return opened


def _text(
    tar: tarfile.TarFile,
    member: tarfile.TarInfo,
    limit: int,
    findings: Findings,
    shown: str,
    is_strict: bool = True,
) -> str | None:
    """The file as text; None with a finding when it is too large or, if strict, not UTF-8."""
    if member.size > limit:
        findings.add(f"The file is larger than {limit // 1024} KB.", shown, 0, not is_strict)
        return None
    data = _open(tar, member).read()
    try:
        text = data.decode("utf-8-sig" if shown not in CODE else "utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        if is_strict:
            findings.add("The file is not UTF-8 text.", shown, line)
            return None
        text = data.decode("utf-8", "replace")
    if "\x00" in text:
        line = text[: text.index("\x00")].count("\n") + 1
        findings.add("The file holds NUL characters.", shown, line)
        return None
    return text


class _Hashing:
    """Passes a stream on and hashes what goes through."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self.hash = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self.hash.update(data)
        return data


def _inspect_package(stream: IO[bytes], left: list[int], findings: Findings) -> dict[str, Any]:
    """What the source distribution says of itself: `name`, `version`, `summary`, `author`,
    `licence` (of PKG-INFO), `lines` (of setup.py, where name and version stand), `texts` (each
    `{"file", "text"}`, of `readme`, `changes`, `licence`, `plugin.py`), `modules` (folders with an
    `__init__.py`), `templates` (module to path to text) and `sha256`."""
    package: dict[str, Any] = {"texts": {}, "modules": [], "templates": {}, "lines": {}}
    package["is_readable"] = False
    hashed = _Hashing(stream)
    try:
        with gzip.GzipFile(fileobj=hashed) as inner:  # type: ignore[call-overload]
            _read_package(Bounded(inner, left), package, findings)
            package["is_readable"] = True
    except Stopped as error:
        if left[0] < 0:
            raise
        findings.stop(str(error), PACKAGE)
    except _DAMAGED:
        findings.stop("The package is not a gzip-compressed tar archive, or is damaged.", PACKAGE)
    while hashed.read(64 * 1024):
        pass  # what lies behind the end of the inner archive belongs to the file all the same
    package["sha256"] = hashed.hash.hexdigest()
    package["texts"].pop("setup.py", None)
    return package | _metadata(package["texts"].pop("PKG-INFO", {"text": ""})["text"])


def _read_package(stream: Bounded, package: dict[str, Any], findings: Findings) -> None:
    roots: set[str] = set()
    budget = [TEMPLATE_BYTES, TEMPLATES]
    left_out = 0
    for tar, member, name in _members(stream, PACKAGE, findings):
        root, _, path = name.partition("/")
        roots.add(root)
        shown = _shown(PACKAGE, name)
        if path.count("/") == 1 and path.endswith("/__init__.py"):
            package["modules"].append(path.partition("/")[0])
        if "/" not in path:
            _keep_text(tar, member, path, package, findings)
        elif path.split("/")[1] == "templates" and path.count("/") > 1:
            left_out += not _keep_template(tar, member, path, package, budget)
        if path == "setup.py" and "setup.py" in package["texts"]:
            package["lines"] = _lines_of(package["texts"]["setup.py"]["text"], findings, shown)
    if len(roots) != 1:
        findings.add(
            "The package must hold exactly one folder, as “setup.py sdist” makes it.", PACKAGE
        )
    if "PKG-INFO" not in package["texts"]:
        findings.add("The package has no PKG-INFO: make it with “setup.py sdist”.", PACKAGE)
    if left_out:
        findings.add(
            f"{left_out} templates are too large, too many or not text: sites will not have copies "
            "of them to edit.",
            is_warning=True,
        )


def _keep_text(
    tar: tarfile.TarFile,
    member: tarfile.TarInfo,
    path: str,
    package: dict[str, Any],
    findings: Findings,
) -> None:
    """Keep a file at the top of the package that the panel has a use for."""
    texts, lower = package["texts"], path.lower()
    shown = f"{PACKAGE}/{path}"
    kinds = (
        ("readme", READMES, README_BYTES),
        ("changes", CHANGES, CHANGES_BYTES),
        ("licence", LICENCES, TEXT_BYTES["LICENSE.txt"]),
    )
    if path in ("PKG-INFO", "setup.py", "plugin.py"):
        is_strict = path == "plugin.py"
        text = _text(tar, member, TEXT_BYTES["plugin.py"], findings, shown, is_strict)
        texts.update({path: {"file": path, "text": text}} if text is not None else {})
    for kind, names, limit in kinds:
        present = texts.get(kind)
        if lower in names and (
            present is None or names.index(lower) < names.index(present["file"].lower())
        ):
            text = _text(tar, member, limit, findings, shown, is_strict=False)
            if text is not None:
                texts[kind] = {"file": path, "text": text}


def _keep_template(
    tar: tarfile.TarFile,
    member: tarfile.TarInfo,
    path: str,
    package: dict[str, Any],
    budget: list[int],
) -> bool:
    """Keep a template by its module and its path below `templates/`; False when it cannot be."""
    if member.size > budget[0] or budget[1] <= 0:
        return False
    text = _text(tar, member, budget[0], Findings(), path)
    if text is None:
        return False
    module, _, rest = path.split("/", 2)
    package["templates"].setdefault(module, {})[rest] = text
    budget[0] -= member.size
    budget[1] -= 1
    return True


def _metadata(text: str) -> dict[str, str]:
    """The headers of PKG-INFO that matter (core metadata, one a line)."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        if not line.strip():
            break
        if colon and not line[0].isspace():
            found.setdefault(name.strip().lower(), value.strip()[:500])
    licence = found.get("license-expression") or found.get("license") or ""
    return {
        "name": found.get("name", ""),
        "version": found.get("version", ""),
        "summary": found.get("summary", ""),
        "author": found.get("author", ""),
        "licence": licence if len(licence) <= 100 else "",
    }


def _lines_of(source: str, findings: Findings, shown: str) -> dict[str, int]:
    """In which lines of setup.py name and version stand. It is read, not run."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        findings.add("Python could not read this file.", shown, is_warning=True)
        return {}
    return {
        keyword.arg: keyword.value.lineno
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and ast.unparse(call.func).split(".")[-1] == "setup"
        for keyword in call.keywords
        if keyword.arg in ("name", "version")
    }
