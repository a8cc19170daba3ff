"""Making base images: from packages to a file tree to an image of the engine."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import ssl
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path

import docker
from docker.errors import ImageNotFound

from base_images.packages import RecipeFailed, candidates, debian_mirror, download, run
from base_images.recipe import Recipe
from base_images.recipes import CA_BUNDLE, RECIPES
from base_images.wheels import unpack_wheel

LABEL_RECIPE = "moonbase.recipe"
TREES = "trees"
"""The folder of the cache in which finished trees are kept, where it exists."""
# Documentation nobody reads in a container: 15 MB of the Python image.
_UNUSED = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/lintian")


def ensure(
    names: Iterable[str],
    engine: docker.APIClient,
    cache: Path,
    say: Callable[[str], None] = lambda sentence: None,
) -> dict[str, str]:
    """Make what is missing or out of date; the tag of each image by its recipe's name.

    An image is kept as long as its recipe, the packages' versions and the machine's CA bundle
    stay the same. One at a time with this cache, others wait. `say` gets a sentence per image.
    Raises `RecipeFailed`.
    """
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:  # two that fetch one package disturb each other
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _ensure([RECIPES[name] for name in names], engine, cache, say)


def _ensure(
    recipes: list[Recipe], engine: docker.APIClient, cache: Path, say: Callable[[str], None]
) -> dict[str, str]:
    wanted = sorted({package for recipe in recipes for package in recipe.packages})
    known = candidates(wanted, cache)
    tags = {}
    for recipe in recipes:
        versions = {package: known[package] for package in recipe.packages}
        fingerprint = _fingerprint(recipe, versions)
        if _label(engine, recipe.tag) == fingerprint:
            say(f"{recipe.tag} is up to date.")
        else:
            _make(recipe, versions, fingerprint, engine, cache)
            size = engine.inspect_image(recipe.tag)["Size"]
            say(f"{recipe.tag} made, {size / 1e6:.1f} MB.")
        tags[recipe.name] = recipe.tag
    return tags


def default_cache() -> Path:
    """`$DATA_DIR/cache/base_images`, or under `./var` when that is not set."""
    return Path(os.environ.get("DATA_DIR", "var")) / "cache" / "base_images"


def _fingerprint(recipe: Recipe, versions: dict[str, str]) -> str:
    trusted = hashlib.sha256(_ca_bundle().read_bytes()).hexdigest() if recipe.trust else ""
    making = Path(__file__).read_text()
    text = json.dumps([asdict(recipe), versions, trusted, making], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _label(engine: docker.APIClient, tag: str) -> str | None:
    try:
        found = engine.inspect_image(tag)
    except ImageNotFound:
        return None
    return (found["Config"].get("Labels") or {}).get(LABEL_RECIPE)


def _make(
    recipe: Recipe,
    versions: dict[str, str],
    fingerprint: str,
    engine: docker.APIClient,
    cache: Path,
) -> None:
    with tempfile.TemporaryDirectory(prefix="moonbase-image-") as folder:
        archive = _kept(recipe, fingerprint, cache)
        if archive is None or not archive.exists():
            archive = _keep(_pack(recipe, versions, Path(folder), cache), archive)
        changes = [f'ENV {name}="{value}"' for name, value in recipe.environment.items()]
        changes += [*recipe.settings, f"LABEL {LABEL_RECIPE}={fingerprint}"]
        repository, _, tag = recipe.tag.partition(":")
        answer = engine.import_image_from_file(str(archive), repository, tag, changes=changes)
        if "error" in answer:
            raise RecipeFailed(f"The engine refused {recipe.tag}: {answer.strip()[-500:]}")


def _kept(recipe: Recipe, fingerprint: str, cache: Path) -> Path | None:
    """Where the finished tree is kept for other engines, if somebody made the folder for that:
    to one engine it would only cost room."""
    trees = cache / TREES
    return trees / f"{recipe.name}-{fingerprint[:16]}.tar" if trees.is_dir() else None


def _keep(archive: Path, place: Path | None) -> Path:
    """Put the finished tree into its place, and those of older recipes away."""
    if place is None:
        return archive
    name = place.name.rpartition("-")[0]
    for older in place.parent.glob(f"{name}-*.tar"):
        if older != place and older.name.rpartition("-")[0] == name:
            older.unlink(missing_ok=True)
    draft = place.with_suffix(f".{os.getpid()}")
    shutil.move(archive, draft)
    return draft.replace(place)


def _pack(recipe: Recipe, versions: dict[str, str], folder: Path, cache: Path) -> Path:
    """The image's files, in a tar in `folder`."""
    root = folder / "root"
    if recipe.bootstrap:
        _bootstrap(root, cache)
    else:
        root.mkdir()
        for package in download(versions, cache):
            run("dpkg-deb", "-x", package, root)
        for wheel in recipe.wheels:
            unpack_wheel(wheel, root, cache)
    _furnish(recipe, root)
    archive = folder / "root.tar"
    _write_tar(root, archive)
    return archive


def _furnish(recipe: Recipe, root: Path) -> None:
    if recipe.busybox:
        _link_applets(root)
    if recipe.python:
        # In a container installing is the point.
        (root / f"usr/lib/python{recipe.python}/EXTERNALLY-MANAGED").unlink(missing_ok=True)
    if not recipe.bootstrap:
        _complete(root, recipe.accounts)
    for folder in recipe.folders:
        (root / folder).mkdir(exist_ok=True)
    for path, target in recipe.links.items():
        (root / path).unlink(missing_ok=True)
        (root / path).symlink_to(target)
    for path, text in recipe.files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
        (root / path).chmod(0o755)
    if recipe.trust:
        (root / CA_BUNDLE).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(_ca_bundle(), root / CA_BUNDLE)
    for unused in () if recipe.bootstrap else _UNUSED:
        shutil.rmtree(root / unused, ignore_errors=True)


def _link_applets(root: Path) -> None:
    busybox = root / "bin" / "busybox"
    # Never over the binary itself: a link to itself would be all that is left of it.
    # And no wget: Debian's static one crashes on every address (139); missing is plainer.
    for applet in set(run(busybox, "--list").split()) - {"busybox", "wget"}:
        if not (busybox.parent / applet).exists():
            (busybox.parent / applet).symlink_to("busybox")


def _complete(root: Path, accounts: Mapping[str, int]) -> None:
    """What Debian's installation scripts would have made: accounts and folders."""
    (root / "tmp").mkdir(exist_ok=True)
    (root / "tmp").chmod(0o1777)
    (root / "root").mkdir(exist_ok=True)
    etc = root / "etc"
    etc.mkdir(exist_ok=True)
    etc.joinpath("passwd").write_text(
        "root:x:0:0:root:/root:/bin/sh\n"
        "www-data:x:33:33:www-data:/var/www:/bin/false\n"
        "nobody:x:65534:65534:nobody:/nonexistent:/bin/false\n"
        + "".join(f"{n}:x:{i}:{i}:{n}:/tmp:/bin/false\n" for n, i in accounts.items())
    )
    etc.joinpath("group").write_text(
        "root:x:0:\nwww-data:x:33:\nnogroup:x:65534:\n"
        + "".join(f"{name}:x:{number}:\n" for name, number in accounts.items())
    )
    etc.joinpath("nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files dns\n")


def _bootstrap(root: Path, cache: Path) -> None:
    if os.geteuid() != 0:
        raise RecipeFailed("The debian image needs root: debootstrap makes device files.")
    address, release = debian_mirror()
    kept = (cache / "debootstrap").absolute()
    kept.mkdir(parents=True, exist_ok=True)
    options = ("--variant=minbase", "--include=ca-certificates", f"--cache-dir={kept}")
    run("debootstrap", *options, release, root, address)
    shutil.rmtree(root / "var/cache/apt/archives")
    (root / "var/cache/apt/archives/partial").mkdir(parents=True)
    shutil.rmtree(root / "dev")  # Docker mounts its own
    (root / "dev").mkdir()


def _write_tar(root: Path, archive: Path) -> None:
    """A tar of the tree. Who made it does not show: without root all files become root's."""

    def owned(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        if os.geteuid() != 0:
            entry.uid = entry.gid = 0
        entry.uname = entry.gname = ""
        return entry

    with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as tar:
        tar.add(root, arcname=".", filter=owned)


def _ca_bundle() -> Path:
    debian = Path("/") / CA_BUNDLE
    bundle = debian if debian.exists() else Path(ssl.get_default_verify_paths().cafile or debian)
    if not bundle.exists():
        raise RecipeFailed("This machine has no CA bundle: install ca-certificates.")
    return bundle
