"""Git's objects, read and written without starting git: a page or a save needs a dozen of them."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

from gitdb import GitDB  # type: ignore[import-untyped]
from gitdb.base import IStream  # type: ignore[import-untyped]
from gitdb.util import mman  # type: ignore[import-untyped]

_one_at_a_time = threading.Lock()
"""gitdb maps packs into memory with one manager a process, which knows no threads."""


@contextmanager
def opened(repository: Path) -> Iterator[GitDB]:
    """The objects of a repository, loose and packed."""
    with _one_at_a_time:
        try:
            yield GitDB(str(repository / "objects"))
        finally:
            mman.collect()  # or packs that git has long replaced would stay mapped


def store_object(objects: GitDB, kind: bytes, data: bytes) -> bytes:
    """Keep an object of this kind (`blob`, `tree`, `commit`); gives its sha."""
    digest = hashlib.sha1(b"%b %d\0" % (kind, len(data)) + data, usedforsecurity=False)
    if not objects.has_object(digest.digest()):
        make_shared(Path(objects.root_path()) / digest.hexdigest()[:2])
        objects.store(IStream(kind, len(data), BytesIO(data)))
    return digest.digest()


def make_shared(folder: Path) -> None:
    """Make a folder the whole group may write in: web, ssh and worker are different users."""
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        return
    folder.chmod(0o2770)
