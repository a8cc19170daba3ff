"""Pure rules of the Git adapter: which names, paths and requests are acceptable, and the
environment every git process gets. Nothing here starts a process; store, cgi and ssh_server use it.
"""

from __future__ import annotations

import os
import re
import shlex
import uuid
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qsl

from app.adapters.git import GitService
from app.errors import Invalid, NotFound

NO_SHA = "0" * 40
TIME_LIMIT = 30 * 60.0  # seconds a transfer may take: the documentation's "30 minutes"

_SHA = re.compile(r"[0-9a-f]{40}")
_FORBIDDEN_IN_REF = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//")
_SLUG_PATH = re.compile(r"/?([a-z0-9][a-z0-9-]{0,39})(?:\.git)?/?")
_PROTOCOL_VERSION = re.compile(r"version=[0-9]")
_LONGEST_COMPONENT = 240  # bytes; a loose ref is a file, and git adds ".lock" to its name

# Written into every bare repository. Hooks never run (a hook inside the repository runs whatever
# the client or the server's own configuration says, so it must be switched off here), the dumb
# protocol serves nothing, and what a push brings is checked. Harmless flaws of old histories are
# let through; names that leave the tree, warnings to git, are errors here.
REPOSITORY_CONFIG = """\
	hooksPath = /dev/null
[receive]
	denyNonFastForwards = false
	denyDeleteCurrent = ignore
	fsckObjects = true
[receive "fsck"]
	zeroPaddedFilemode = ignore
	badTimezone = ignore
	missingSpaceBeforeDate = ignore
	missingSpaceBeforeEmail = ignore
	missingNameBeforeEmail = ignore
	missingEmail = ignore
	hasDot = error
	hasDotdot = error
	hasDotgit = error
	fullPathname = error
	emptyName = error
[http]
	getanyfile = false
	uploadpack = true
	receivepack = true
"""
# A deployment wants the files as committed: `export-ignore` must not hide one from the build.
REPOSITORY_ATTRIBUTES = "* -export-ignore -export-subst\n"


def is_valid_branch_name(name: str) -> bool:
    """Whether git takes `name` as a new branch (`git check-ref-format --branch`)."""
    if name in ("", "@", "HEAD") or name.startswith("-") or name.endswith((".", "/")):
        return False
    if _FORBIDDEN_IN_REF.search(name):
        return False
    try:
        encoded = name.encode()
    except UnicodeEncodeError:  # lone surrogates
        return False
    components = encoded.split(b"/")
    return all(
        part
        and not part.startswith(b".")
        and not part.endswith(b".lock")
        and len(part) <= _LONGEST_COMPONENT
        for part in components
    )


def is_sha(text: str) -> bool:
    """Whether `text` is a full object name: 40 lower-case hex digits."""
    return _SHA.fullmatch(text) is not None


def is_valid_path(path: str) -> bool:
    """Whether `path` may name a file inside a tree: relative, no `.`, `..` or `.git` in it."""
    parts = path.split("/")
    return not any(c in path for c in "\0\n\\") and all(
        part not in ("", ".", "..") and part.casefold() != ".git" for part in parts
    )


def is_key(key: str) -> bool:
    """Whether `key` is a uuid in its canonical form, the only thing a repository is called by."""
    try:
        return str(uuid.UUID(key)) == key
    except ValueError:
        return False


def git_environment(
    config: Mapping[str, str] | None = None, extra: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The complete environment of a git process: nothing of this process's own, no configuration
    of machine or person, no prompt, no transport. `config` adds configuration values."""
    settings = {"safe.directory": "*", **(config or {})}
    environment = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": "/nonexistent",
        "LC_ALL": "C.UTF-8",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": "",  # a hosted repository is never the client of another
        "GIT_CONFIG_COUNT": str(len(settings)),
        **(extra or {}),
    }
    for number, (key, value) in enumerate(settings.items()):
        environment[f"GIT_CONFIG_KEY_{number}"] = key
        environment[f"GIT_CONFIG_VALUE_{number}"] = value
    return environment


def protocol_environment(asked: str | None) -> dict[str, str]:
    """GIT_PROTOCOL as the client asked for it, left out unless it is a plain version."""
    if asked and _PROTOCOL_VERSION.fullmatch(asked):
        return {"GIT_PROTOCOL": asked}
    return {}


def parse_ssh_command(line: str) -> tuple[GitService, str]:
    """The service and the repository's slug a client asked for, such as
    `git-upload-pack '/demo.git'`. Raises `Invalid` for all other commands and paths."""
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise Invalid("This command cannot be read.") from error
    if words[:1] == ["git"] and len(words) > 1:
        words = [f"git-{words[1]}", *words[2:]]
    if words[:1] == ["git-lfs-authenticate"] or words[:1] == ["git-lfs-transfer"]:
        raise Invalid("Git LFS is not supported here; keep large files in the media storage.")
    services = {str(service): service for service in GitService}
    if not words or words[0] not in services:
        raise Invalid("Only git clone, fetch, pull and push are possible here.")
    match = _SLUG_PATH.fullmatch(words[1]) if len(words) == 2 else None
    if match is None:
        raise Invalid("This is not the address of a repository; it ends in NAME.git.")
    return services[words[0]], match[1]


def parse_http_request(method: str, path_info: str, query: str) -> tuple[GitService, bool]:
    """Which service an HTTP request is for, and whether it is the first look at the references.

    `path_info` is the path inside the repository. The caller authorises exactly this service;
    `serve_http` uses the same answer, so that git can never read the request another way.
    Raises `NotFound` for anything but the three requests of the smart protocol.
    """
    if path_info == "/info/refs" and method == "GET":
        named = [value for key, value in parse_qsl(query) if key == "service"]
        if len(named) == 1 and named[0] in list(GitService):
            return GitService(named[0]), True
    elif method == "POST" and path_info[1:] in list(GitService) and path_info[:1] == "/":
        return GitService(path_info[1:]), False
    raise NotFound("This is not a request of a Git client.")


def cgi_environment(repository: Path, request: Mapping[str, str], limit: int) -> dict[str, str]:
    """The environment of `git http-backend` for one request, from its CGI variables.

    `limit` is the largest push in bytes, 0 for none. Raises `NotFound`, see `parse_http_request`.
    """
    method, path_info = request.get("REQUEST_METHOD", ""), request.get("PATH_INFO", "")
    service, is_first = parse_http_request(method, path_info, request.get("QUERY_STRING", ""))
    passed = (
        "CONTENT_TYPE",
        "CONTENT_LENGTH",
        "HTTP_CONTENT_ENCODING",
        "HTTP_TRANSFER_ENCODING",  # tells `run_cgi` whether a body without a length follows
        "REMOTE_ADDR",
    )
    variables = {name: request[name] for name in passed if request.get(name)}
    return git_environment(
        {"receive.maxInputSize": str(limit)},
        {
            **variables,
            **protocol_environment(request.get("HTTP_GIT_PROTOCOL")),
            "REQUEST_METHOD": method,
            "QUERY_STRING": f"service={service}" if is_first else "",
            "GIT_PROJECT_ROOT": str(repository),
            "PATH_INFO": path_info,
            "GIT_HTTP_EXPORT_ALL": "1",
        },
    )


def leads_out(path: bytes, links: Mapping[bytes, bytes]) -> bool:
    """Whether the link at `path` leads out of its tree, through the tree's other `links` too.

    `links` maps the path of each link to its target. A plain normalisation is not enough: with
    `a/b -> ..`, the harmless looking `a/b/../x` is outside. Circles count as leading out.
    """
    here: list[bytes] = []
    todo = path.split(b"/")[::-1]
    followed = 0
    while todo:
        part = todo.pop()
        if part in (b"", b"."):
            continue
        if part == b"..":
            if not here:
                return True
            here.pop()
            continue
        here.append(part)
        target = links.get(b"/".join(here))
        if target is not None:
            followed += 1
            if target.startswith(b"/") or followed > 40:  # 40: the kernel's own limit
                return True
            here.pop()
            todo.extend(target.split(b"/")[::-1])
    return False
