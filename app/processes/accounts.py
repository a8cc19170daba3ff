"""System users of the processes: started by root, each process gets no more than it needs."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from app.adapters.image_builder.build_cgroup import delegate_builds
from app.config import Settings

PREFIX = "moonbase-"
SHARED = "moonbase"
"""The group of processes that share database, repositories, logs and the queue's socket."""
KEYS = "moonbase-keys"
"""The group of those that read `SITE_KEYS` and the session key."""
DOCKER = "docker"

MEMBERSHIPS: dict[str, tuple[str, ...]] = {
    "web": (SHARED, KEYS),
    "worker": (SHARED, KEYS, DOCKER),
    "scheduler": (SHARED, KEYS),
    "observer": (SHARED, KEYS, DOCKER),
    "ssh": (SHARED, KEYS),
    "redis": (SHARED,),
    "ingress": (),
}
"""Which groups each user is in (architecture §1, "who may touch what")."""


@dataclass(frozen=True)
class Accounts:
    """How processes change their user. `are_separate` is False when all run as whoever starts."""

    are_separate: bool

    def prefix(self, account: str) -> tuple[str, ...]:
        """The words in front of a command that make it run as its user, and end with its parent."""
        setpriv = ("setpriv", "--pdeathsig", "TERM")
        if not self.are_separate or account not in MEMBERSHIPS:
            return (*setpriv, "--")
        groups = [str(grp.getgrnam(name).gr_gid) for name in MEMBERSHIPS[account]]
        entry = pwd.getpwnam(PREFIX + account)
        return (
            *setpriv,
            f"--reuid={entry.pw_uid}",
            f"--regid={grp.getgrnam(SHARED).gr_gid if groups else entry.pw_gid}",
            *([f"--groups={','.join(groups)}"] if groups else ["--clear-groups"]),
            "--no-new-privs",
            "--",
        )

    def ingress(self) -> dict[str, str]:
        """Who Traefik runs as, for the process that opens its port as root and becomes it."""
        return {"INGRESS_ACCOUNT": f"{PREFIX}ingress"} if self.are_separate else {}

    def delegate_builds(self) -> None:
        """Let the worker limit builds, which it could do by itself only as root."""
        if self.are_separate:
            delegate_builds(pwd.getpwnam(f"{PREFIX}worker").pw_uid)


def prepare_accounts(interpreter: str, root: Path) -> Accounts:
    """Make the users when started by root. They are not used when they could not run the panel's
    own files, e.g. from a home directory that is closed to others."""
    if os.geteuid() != 0 or not shutil.which("useradd"):
        return Accounts(are_separate=False)
    for group in (SHARED, KEYS, DOCKER):
        if not _has_group(group):
            subprocess.run(["groupadd", "--system", group], check=True)
    for account in MEMBERSHIPS:
        if not _has_user(PREFIX + account):
            words = ["--system", "--no-create-home", "--shell", "/usr/sbin/nologin"]
            subprocess.run(["useradd", *words, PREFIX + account], check=True)
    accounts = Accounts(are_separate=True)
    probe = [*accounts.prefix("ingress"), interpreter, "-c", "import app.errors"]
    tried = subprocess.run(probe, cwd=root, capture_output=True, check=False)
    return Accounts(are_separate=tried.returncode == 0)


def prepare_directories(settings: Settings, accounts: Accounts) -> None:
    """Make the folders of the installation, each open to just the processes that use it."""
    data = settings.data_dir
    for name in ("repositories", "logs", "tmp", "run", "redis"):
        _make(data / name, Owner("web", SHARED, 0o2770), accounts)
    _make(data / "panel", Owner("web", SHARED, 0o2770), accounts)
    _make(data / "secrets", Owner("web", KEYS, 0o2771), accounts)
    _make(data / "ingress", Owner("ingress", None, 0o700), accounts)
    _make(data / "mail", Owner("worker", None, 0o700), accounts)  # letters may open an account
    for name in ("log", "supervisor"):
        # The supervisor, as root, writes and reads here: nobody else may lay a link or a file.
        _make(data / name, Owner(None, None, 0o700), accounts)
    if accounts.are_separate:
        # The way in is open to all users; what lies behind it is not. What an operator's command
        # has made as root (database, keys) belongs to the processes too.
        data.chmod(0o711)
        _give(data / "panel", Owner("web", SHARED, 0o660))
        _give(data / "secrets", Owner("web", KEYS, 0o640), but="operator.keys")
        _give(data / "secrets", Owner("worker", None, 0o600), "operator.keys")
        _give(data / "secrets", Owner("ingress", KEYS, 0o640), "ingress.token")
        _give(data / "secrets", Owner("ssh", KEYS, 0o600), "ssh_host.key")


@dataclass(frozen=True)
class Owner:
    """Whose a file or folder is. `account` None is root, `group` None the account's own."""

    account: str | None
    group: str | None
    mode: int

    def numbers(self) -> tuple[int, int]:
        """User and group id."""
        entry = pwd.getpwnam(PREFIX + self.account if self.account else "root")
        return entry.pw_uid, grp.getgrnam(self.group).gr_gid if self.group else entry.pw_gid


def _make(path: Path, owner: Owner, accounts: Accounts) -> None:
    """Make a folder. When it was somebody else's, e.g. of a time when all ran as root, all that
    lies in it changes hands too."""
    path.mkdir(parents=True, exist_ok=True)
    if not accounts.are_separate:
        return
    numbers = owner.numbers()
    if (path.stat().st_uid, path.stat().st_gid) != numbers:
        for found in path.rglob("*"):
            os.chown(found, *numbers, follow_symlinks=False)
        os.chown(path, *numbers)
    path.chmod(owner.mode)


def _give(directory: Path, owner: Owner, pattern: str = "*", but: str = "") -> None:
    """Hand the files in `directory` over, not the one named `but`. Links are left alone: a process
    of the group may have laid one, to be given what it points to."""
    for path in directory.glob(pattern):
        if path.name != but and path.is_file() and not path.is_symlink():
            os.chown(path, *owner.numbers(), follow_symlinks=False)
            path.chmod(owner.mode)


def _has_group(name: str) -> bool:
    try:
        grp.getgrnam(name)
    except KeyError:
        return False
    return True


def _has_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True
