"""Reading several files of a commit with two git processes, however many there are."""

from __future__ import annotations

import io
import re
from collections.abc import Collection, Mapping
from pathlib import Path

from app.adapters.git.commands import is_sha, is_valid_path
from app.adapters.git.running import run_git
from app.errors import Invalid

_BLOB = re.compile(rb"([0-9a-f]{40}) blob ([0-9]+)")


def read_blobs(
    repository: Path, commit: str, paths: Collection[str], largest: int
) -> Mapping[str, bytes | None]:
    """Contents by path, None for what is no file there. `Invalid` for one of more than `largest`
    bytes."""
    found: dict[str, bytes | None] = dict.fromkeys(paths)
    usable = [path for path in found if is_sha(commit) and is_valid_path(path)]
    names = "".join(f"{commit}:{path}\n" for path in usable)
    asked = run_git(
        repository,
        ["cat-file", "--batch-check"],
        given=names.encode(errors="surrogateescape"),
    )
    blobs: dict[str, bytes] = {}
    for path, line in zip(usable, asked.stdout.splitlines(), strict=False):
        blob = _BLOB.fullmatch(line)
        if blob is None:
            continue
        if int(blob[2]) > largest:
            raise Invalid(f"“{path}” is larger than {largest // 1024**2} MB.")
        blobs[path] = blob[1]
    if not blobs:
        return found
    given = b"".join(sha + b"\n" for sha in blobs.values())
    read = run_git(repository, ["cat-file", "--batch=%(objectsize)"], given=given)
    contents = io.BytesIO(read.stdout)
    for path in blobs:
        found[path] = contents.read(int(contents.readline()))
        contents.read(1)  # the line end git adds
    return found
