"""The tree of a commit as a tar stream, after a look at whether it can be checked out safely."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, cast

from app.adapters.git.commands import git_environment, is_valid_path, leads_out
from app.adapters.git.running import end_group, run_git
from app.errors import Invalid

_LINK = b"120000"
_SUBMODULE = b"160000"
_LONGEST_TARGET = 4096  # bytes; PATH_MAX, a longer link cannot be made on disk


class _TarStream(io.RawIOBase):
    """The output of `git archive`; closing it early ends the process."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._output = cast("BinaryIO", process.stdout)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(cast("bytearray", buffer))
        read = self._output.readinto(view)  # type: ignore[attr-defined]
        if read == 0 and len(view) and self._process.wait() != 0:
            # Half a tar must not pass for a whole one.
            raise Invalid("The repository cannot be read: an object of this commit is missing.")
        return cast("int", read)

    def close(self) -> None:
        if not self.closed:
            end_group(self._process)
            self._output.close()
        super().close()


def open_archive(repository: Path, commit: str) -> BinaryIO:
    """The tree of `commit` (40 hex digits, known to exist) as tar; the caller closes it.

    Raises `Invalid` for a submodule, a link that leads out, or a name that cannot be unpacked.
    """
    refuse_unusable_trees(repository, commit)
    process = subprocess.Popen(
        ["git", "archive", "--format=tar", commit],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=git_environment(extra={"GIT_DIR": str(repository)}),
        cwd=repository,
        start_new_session=True,
    )
    return io.BufferedReader(_TarStream(process), 256 * 1024)


def refuse_unusable_trees(repository: Path, commit: str) -> None:
    """Raise `Invalid`, naming the path, for what an archive of `commit` must not hold."""
    links: dict[bytes, str] = {}
    for mode, sha, path in list_tree(repository, commit):
        name = path.decode(errors="replace")
        if mode == _SUBMODULE:
            raise Invalid(
                f"The repository contains the Git submodule “{name}”, which is not supported. "
                "Remove it, or commit its files."
            )
        if not is_valid_path(name.replace("\\", "/").replace("\n", "")):
            raise Invalid(f"The repository contains “{name}”, which is not a usable file name.")
        if mode == _LINK:
            links[path] = sha
    targets = _read_links(repository, links)
    for path in targets:
        if leads_out(path, targets):
            name = path.decode(errors="replace")
            raise Invalid(f"The symbolic link “{name}” leads out of the repository.")


def list_tree(repository: Path, commit: str) -> Iterator[tuple[bytes, str, bytes]]:
    """Mode, sha and path of every entry at `commit`, directories opened."""
    listing = run_git(repository, ["ls-tree", "-r", "-z", "--full-tree", commit])
    if listing.returncode != 0:
        raise Invalid("The repository cannot be read: an object of this commit is missing.")
    for line in listing.stdout.split(b"\0")[:-1]:
        about, _, path = line.partition(b"\t")
        mode, _, sha = about.split(b" ")
        yield mode, sha.decode(), path


def _read_links(repository: Path, links: Mapping[bytes, str]) -> dict[bytes, bytes]:
    """The target of each link. Sizes are asked first: a "link" may be a huge file in disguise."""
    if not links:
        return {}
    asked = "".join(f"{sha}\n" for sha in links.values()).encode()
    sizes = run_git(repository, ["cat-file", "--batch-check=%(objectsize)"], given=asked)
    for path, size in zip(links, sizes.stdout.splitlines(), strict=True):
        if not size.isdigit() or int(size) > _LONGEST_TARGET:
            name = path.decode(errors="replace")
            raise Invalid(f"The symbolic link “{name}” cannot be read.")
    contents = io.BytesIO(
        run_git(repository, ["cat-file", "--batch=%(objectsize)"], given=asked).stdout
    )
    targets = {}
    for path in links:
        targets[path] = contents.read(int(contents.readline()))
        contents.read(1)  # the line end git adds
    return targets
