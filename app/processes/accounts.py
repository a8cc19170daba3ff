"""System users of the processes: started by root, each process gets no more than it needs."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from app.config import Settings

PREFIX = "moonbase-"
SHARED = "moonbase"
"""The group of processes that read and write database, repositories, logs and `SITE_KEYS`."""
DOCKER = "docker"

MEMBERSHIPS: dict[str, tuple[str, ...]] = {
    "web": (SHARED,),
    "worker": (SHARED, DOCKER),
    "scheduler": (SHARED,),
    "observer": (SHARED, DOCKER),
    "ssh": (SHARED,),
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


def prepare_accounts(interpreter: str, root: Path) -> Accounts:
    """Make the users when started by root. They are not used when they could not run the panel's
    own files, e.g. from a home directory that is closed to others."""
    if os.geteuid() != 0 or not shutil.which("useradd"):
        return Accounts(are_separate=False)
    for group in (SHARED, DOCKER):
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
    shared = ("panel", "repositories", "logs", "tmp", "run", "redis", "secrets")
    for name in shared:
        _make(settings.data_dir / name, 0o2770, accounts, PREFIX + "web", SHARED)
    for name in ("log", "supervisor"):
        # The supervisor, as root, writes and reads here: nobody else may lay a link or a file.
        _make(settings.data_dir / name, 0o700, accounts, "root", None)
    _make(settings.data_dir / "ingress", 0o700, accounts, PREFIX + "ingress", None)
    if accounts.are_separate:
        # The way in is open to all users; what lies behind it is not.
        settings.data_dir.chmod(0o711)
        (settings.data_dir / "secrets").chmod(0o2771)
        _share_secrets(settings.data_dir / "secrets")


def _share_secrets(directory: Path) -> None:
    group = grp.getgrnam(SHARED).gr_gid
    for path in directory.iterdir():
        if path.is_symlink():  # laid by a process of the group, to be given what it points to
            continue
        owner = pwd.getpwnam(PREFIX + "web").pw_uid
        os.chown(path, owner, group)
        path.chmod(0o640)
    token = directory / "ingress.token"
    if token.exists():
        os.chown(token, pwd.getpwnam(PREFIX + "ingress").pw_uid, group)
    host_key = directory / "ssh_host.key"
    if host_key.exists():
        os.chown(host_key, pwd.getpwnam(PREFIX + "ssh").pw_uid, group)
        host_key.chmod(0o600)


def _make(path: Path, mode: int, accounts: Accounts, owner: str, group: str | None) -> None:
    path.mkdir(parents=True, exist_ok=True)
    if accounts.are_separate:
        entry = pwd.getpwnam(owner)
        gid = grp.getgrnam(group).gr_gid if group else entry.pw_gid
        for found in (path, *path.rglob("*")):
            os.chown(found, entry.pw_uid, gid, follow_symlinks=False)
            if group and found.is_file() and not found.is_symlink():
                found.chmod(0o660)
        path.chmod(mode)


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
