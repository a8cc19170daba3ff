"""A person at a laptop: a work tree and the real `git`, for contract and flow tests."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

_SSH_OPTIONS = (
    "StrictHostKeyChecking=no",
    "UserKnownHostsFile=/dev/null",
    "IdentitiesOnly=yes",
    "BatchMode=yes",
    "LogLevel=ERROR",
)


class GitFailed(Exception):
    """A git command ended with an error; `said` is what the person read."""

    def __init__(self, arguments: tuple[str, ...], said: str) -> None:
        super().__init__(f"git {' '.join(arguments)}: {said}")
        self.said = said


def make_ssh_key(folder: Path, name: str = "id", kind: str = "ed25519") -> Path:
    """A new key pair; returns the private half's path, the public one ends in `.pub`."""
    path = folder / name
    command = ["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", name, "-f", str(path)]
    command += ["-b", "2048"] if kind == "rsa" else []
    subprocess.run(command, check=True, capture_output=True)
    return path


def ssh_command(key: Path | None, port: int | None) -> list[str]:
    """The `ssh` command line with exactly this key and no known hosts."""
    command = ["ssh", "-F", "none"]
    for option in _SSH_OPTIONS:
        command += ["-o", option]
    if key is not None:
        command += ["-i", str(key)]
    return command if port is None else [*command, "-p", str(port)]


@dataclass
class GitClient:
    """One person's work tree in `folder`, which may not exist yet.

    `key` and `port` are for SSH addresses (`git@127.0.0.1:demo.git`), `header` is an
    `Authorization: …` line for HTTP ones.
    """

    folder: Path
    key: Path | None = None
    port: int | None = None
    header: str | None = None
    name: str = "Alice"
    email: str = "alice@example.com"
    extra: Mapping[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """Nothing of the machine's or the developer's own git configuration."""
        config = {"protocol.version": "2", "init.defaultBranch": "main", "gc.auto": "0"}
        if self.header:
            config["http.extraHeader"] = self.header
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder.parent),
            "LC_ALL": "C.UTF-8",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_AUTHOR_NAME": self.name,
            "GIT_AUTHOR_EMAIL": self.email,
            "GIT_COMMITTER_NAME": self.name,
            "GIT_COMMITTER_EMAIL": self.email,
            "GIT_SSH_COMMAND": " ".join(ssh_command(self.key, self.port)),
            "GIT_CONFIG_COUNT": str(len(config)),
            **self.extra,
        }
        for number, (key, value) in enumerate(config.items()):
            environment[f"GIT_CONFIG_KEY_{number}"] = key
            environment[f"GIT_CONFIG_VALUE_{number}"] = value
        return environment

    def run(self, *arguments: str, timeout: float = 60) -> str:
        """`git ARGUMENTS` in the work tree; returns all it printed. Raises `GitFailed`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout,
            check=False,
        )
        said = done.stdout.decode(errors="replace")
        if done.returncode != 0:
            raise GitFailed(arguments, said)
        return said

    def start(self, branch: str = "main") -> GitClient:
        """Make the work tree an empty repository on `branch`."""
        self.run("init", "--quiet", f"--initial-branch={branch}")
        return self

    def clone(self, url: str, *options: str) -> GitClient:
        """Clone into `folder`."""
        self.run("clone", "--quiet", *options, url, ".")
        return self

    def write(self, files: Mapping[str, str | bytes]) -> GitClient:
        """Write files into the work tree, folders as needed."""
        for name, content in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return self

    def commit(self, message: str, files: Mapping[str, str | bytes] | None = None) -> str:
        """Write `files`, add everything, commit; returns the sha."""
        self.write(files or {})
        self.run("add", "--all")
        self.run("commit", "--quiet", "--allow-empty", "-m", message)
        return self.head()

    def head(self) -> str:
        """The sha of the checked-out commit."""
        return self.run("rev-parse", "HEAD").strip()

    def push(self, url: str, branch: str = "main", *options: str) -> str:
        """Push HEAD to `branch`; returns what the person read."""
        return self.run("push", *options, url, f"HEAD:refs/heads/{branch}")
