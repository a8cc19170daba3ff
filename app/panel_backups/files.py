"""Which files of the data directory a backup has, and in which order they are read."""

from __future__ import annotations

import grp
import os
import pwd
import stat
import tarfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from app.errors import Unavailable
from app.panel_backups.archive import Writer

MADE_AGAIN = frozenset(
    {"tmp", "run", "redis", "supervisor", "cache", "ingress", "downloads", "uploads"}
)
"""Sockets, packages of base images, downloads and uploads that last a day, and what others tell
again: of a lost queue the scheduler enqueues everything anew, and ingress nodes are sent their
routes."""
ELSEWHERE = frozenset({"panel", "operator", "secrets"})
"""The database, and keys: they have places of their own in the archive."""
STORE = "backups"
"""Backups of sites: as large as all their data, and meant to lie on another machine anyway."""
_PASSING = (".lock", ".new", ".deleted", ".partial")
_LAST = {"refs": 1, "packed-refs": 2, "objects": 3}
"""In a repository branches come before the commits they point to: what is pushed meanwhile is
then at worst not pointed to. Loose branches come before packed ones, which they become."""
ROUNDS = 20


def add_files(writer: Writer, data_dir: Path, with_store: bool) -> None:
    """Add all folders but the ones named above.

    Raises `Unavailable` when a file cannot be read: a backup that lacks it must not look whole.
    """
    left_out = MADE_AGAIN | ELSEWHERE | (frozenset() if with_store else {STORE})
    for folder in sorted(data_dir.iterdir()):
        if folder.name not in left_out and folder.is_dir() and not folder.is_symlink():
            _add_tree(writer, data_dir, folder)


def _add_tree(writer: Writer, data_dir: Path, folder: Path) -> None:
    """Add a folder. Where a file goes while it is read, e.g. because Git packs objects into one
    of a new name, the folder is looked through again until nothing has gone."""
    done: set[Path] = set()
    for _ in range(ROUNDS):
        has_gone = False
        for path in _walk(folder):
            if path not in done:
                name = f"files/{path.relative_to(data_dir).as_posix()}"
                has_gone |= not add_path(writer, path, name)
                done.add(path)
        if not has_gone:
            return
    raise Unavailable(f"{folder} changes too quickly to be backed up. Try again in a while.")


def _walk(folder: Path) -> Iterator[Path]:
    yield folder
    try:
        found = sorted(os.scandir(folder), key=lambda one: (_LAST.get(one.name, 0), one.name))
    except FileNotFoundError:
        return
    except OSError as error:
        raise _unreadable(folder, error) from error
    for entry in found:
        if entry.name.endswith(_PASSING) or entry.name.startswith("tmp_"):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path))
        elif entry.is_file(follow_symlinks=False):
            yield Path(entry.path)


def add_path(writer: Writer, path: Path, name: str) -> bool:
    """Add one file or folder with its owner and rights; False when it is gone."""
    try:
        # A process of the panel may have put something else in its place: no link is followed,
        # and nothing waits for the other end of a pipe.
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise _unreadable(path, error) from error
    found = os.fstat(number)
    info = _described(name, found)
    if stat.S_ISREG(found.st_mode):
        with os.fdopen(number, "rb") as file:
            writer.add(info, file)
    else:
        os.close(number)
        if stat.S_ISDIR(found.st_mode):
            info.type = tarfile.DIRTYPE
            writer.add_folder(info)
    return True


def _described(name: str, found: os.stat_result) -> tarfile.TarInfo:
    """Owners by name: another machine may have given them other numbers."""
    info = tarfile.TarInfo(name)
    info.mode, info.mtime = stat.S_IMODE(found.st_mode), found.st_mtime
    info.uid, info.gid = found.st_uid, found.st_gid
    with suppress(KeyError):
        info.uname = pwd.getpwuid(found.st_uid).pw_name
    with suppress(KeyError):
        info.gname = grp.getgrgid(found.st_gid).gr_name
    return info


def _unreadable(path: Path, error: OSError) -> Unavailable:
    return Unavailable(f"{path} cannot be read ({error.strerror}): run this as root.", retry=False)
