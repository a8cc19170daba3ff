"""What the sandbox finds in archives, good ones and hostile ones. Called here without a sandbox
around it, but for the last tests: nothing of it needs one to stay harmless."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from app.adapters.sandbox import Question, Topic
from app.adapters.sandbox.asking import answer
from app.adapters.sandbox.guest.inspect_archive import FINDINGS, MEMBERS, inspect_archive
from tests.addons.archives import FORM, PLUGIN, archive, bomb, files, sdist, special, tar, written

ADDON_JSON = json.dumps({"package-name": "susan-example"})


def inspect(folder: Path, data: bytes) -> dict[str, Any]:
    return inspect_archive(str(written(folder, data)))


def sentences(facts: dict[str, Any]) -> list[str]:
    return [f"{finding['file']}: {finding['sentence']}" for finding in facts["findings"]]


def test_a_good_archive(tmp_path: Path) -> None:
    data = archive(more={"package.tar.gz": sdist(more={"plugin.py": PLUGIN})})
    facts = inspect(tmp_path, data)
    assert facts["findings"] == []
    assert facts["texts"]["aldryn_config.py"] == FORM
    assert facts["texts"]["VERSION"] == "1.0"
    package = facts["package"]
    assert (package["name"], package["version"]) == ("susan-example", "1.0")
    assert package["lines"] == {"name": 4}
    assert package["modules"] == ["susan_example"]
    assert package["templates"] == {"susan_example": {"susan_example/page.html": "<p>Hello</p>\n"}}
    assert package["texts"]["readme"]["file"] == "README.rst"
    assert package["texts"]["changes"]["text"] == "1.0: the first.\n"
    assert package["texts"]["plugin.py"]["text"] == PLUGIN
    with tarfile.open(fileobj=io.BytesIO(data)) as opened:
        assert opened.getmember("package.tar.gz").offset_data == package["offset"]
        assert opened.getmember("package.tar.gz").size == package["size"]


def test_names_may_begin_with_a_dot_and_a_slash(tmp_path: Path) -> None:
    """As `tar czf … .` makes them."""
    root = tarfile.TarInfo("./")
    root.type = tarfile.DIRTYPE
    facts = inspect(tmp_path, tar([(root, b""), *files({"./addon.json": ADDON_JSON})]))
    assert facts["findings"] == [] and facts["texts"]["addon.json"] == ADDON_JSON


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("../../etc/cron.d/x", "out of the archive"),
        ("/etc/passwd", "out of the archive"),
        ("a/../../x", "out of the archive"),
        ("..\\x", "out of the archive"),
        ("a\nb", "cannot be used"),
        ("a\u202eb", "cannot be used"),
        ("x" * 300, "too long"),
        ("/".join("abcdefghijklmnopqrstuvwxyz"), "folders deep"),
    ],
)
@pytest.mark.parametrize("is_inner", [False, True], ids=["archive", "package"])
def test_paths_nobody_packs_by_accident(
    tmp_path: Path, name: str, says: str, is_inner: bool
) -> None:
    bad = files({"good/PKG-INFO": "Name: x\n", name: "x"})
    data = tar(files({"package.tar.gz": tar(bad)})) if is_inner else tar(bad)
    found = sentences(inspect(tmp_path, data))
    assert any(says in sentence for sentence in found), found


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        (tarfile.SYMTYPE, "Symbolic links"),
        (tarfile.LNKTYPE, "Hard links"),
        (tarfile.CHRTYPE, "Devices"),
        (tarfile.BLKTYPE, "Devices"),
        (tarfile.FIFOTYPE, "Devices"),
        (tarfile.GNUTYPE_SPARSE, "ordinary files"),
    ],
)
def test_what_is_no_ordinary_file(tmp_path: Path, kind: bytes, says: str) -> None:
    member = special(kind, "root/aldryn_config.py", "/etc/passwd")
    inner = tar([*files({"root/PKG-INFO": "Name: x\n"}), member])
    found = sentences(inspect(tmp_path, archive(more={"package.tar.gz": inner})))
    assert [one for one in found if says in one and "package.tar.gz/root/aldryn" in one], found
    flat = inspect(tmp_path, tar([special(kind, "addon.json", "/etc/passwd")]))
    assert says in flat["findings"][0]["sentence"] and "addon.json" not in flat["texts"]


def test_one_name_twice(tmp_path: Path) -> None:
    twice = [*files({"addon.json": ADDON_JSON}), *files({"./addon.json": "{}"})]
    facts = inspect(tmp_path, tar(twice))
    assert sentences(facts) == ["addon.json: The archive has two files of this name."]
    assert facts["texts"]["addon.json"] == ADDON_JSON


def test_a_header_that_is_a_bomb(tmp_path: Path) -> None:
    """A PAX header is read whole: one of many megabytes would be an attack on memory."""
    member = tarfile.TarInfo("addon.json")
    member.pax_headers = {"comment": "x" * 3 * 1024**2}
    found = sentences(inspect(tmp_path, tar([(member, b"{}")])))
    assert found == [": The archive holds a header that is too large."]


def test_too_many_members(tmp_path: Path) -> None:
    many = {f"file-{number}": "" for number in range(MEMBERS["archive"] + 1)}
    found = sentences(inspect(tmp_path, tar(files(many))))
    assert found[0] == ": The archive has more than 100 files."
    inner = tar(files({f"x/{number}": "" for number in range(MEMBERS["package.tar.gz"] + 1)}))
    found = sentences(inspect(tmp_path, archive(more={"package.tar.gz": inner})))
    assert "package.tar.gz: The package.tar.gz has more than 10000 files." in found


def test_findings_have_an_end(tmp_path: Path) -> None:
    links = [special(tarfile.SYMTYPE, f"x/link-{number}", "/") for number in range(500)]
    found = sentences(inspect(tmp_path, archive(more={"package.tar.gz": tar(links)})))
    assert len(found) == FINDINGS + 1 and found[-1] == ": There is more like this."


@pytest.mark.parametrize(
    "data",
    [b"", b"PK\x03\x04 a zip", b"\x1f\x8b\x08\x00 broken", archive()[:-600], tar([])[:20]],
    ids=["nothing", "zip", "broken", "cut off", "short"],
)
def test_what_is_no_archive(tmp_path: Path, data: bytes) -> None:
    found = sentences(inspect(tmp_path, data))
    assert any("not a gzip-compressed tar archive" in sentence for sentence in found), found


def test_a_broken_package_in_a_good_archive(tmp_path: Path) -> None:
    facts = inspect(tmp_path, archive(more={"package.tar.gz": b"PK\x03\x04 a zip"}))
    assert sentences(facts) == [
        "package.tar.gz: The package is not a gzip-compressed tar archive, or is damaged."
    ]
    assert facts["texts"]["VERSION"] == "1.0" and facts["package"]["is_readable"] is False


def test_a_source_distribution_alone(tmp_path: Path) -> None:
    """The mistake most authors make by hand: PyPI's format is not the addon's."""
    found = sentences(inspect(tmp_path, sdist()))
    assert found[-1].startswith(": This is a source distribution, not an addon’s archive.")


def test_texts_that_are_none(tmp_path: Path) -> None:
    more = {"aldryn_config.py": b"a = 1\nb = '\xe9'\n", "addon.json": "x" * 70_000}
    facts = inspect(tmp_path, archive(more=more))
    assert [(f["file"], f["line"]) for f in facts["findings"]] == [
        ("addon.json", 0),
        ("aldryn_config.py", 2),
    ]
    assert "larger than 64 KB" in facts["findings"][0]["sentence"]
    facts = inspect(tmp_path, archive(more={"VERSION": "1\x00"}))
    assert sentences(facts) == ["VERSION: The file holds NUL characters."]


def test_templates_that_are_too_large_are_left_out_with_a_warning(tmp_path: Path) -> None:
    large = {"susan_example/templates/large.html": "x" * 300_000}
    facts = inspect(tmp_path, archive(more={"package.tar.gz": sdist(more=large)}))
    assert list(facts["package"]["templates"]["susan_example"]) == ["susan_example/page.html"]
    assert [finding["is_warning"] for finding in facts["findings"]] == [True]


def test_setup_py_is_read_and_not_run(tmp_path: Path) -> None:
    more = {"setup.py": "raise SystemExit\nimport setuptools\nsetuptools.setup(version='1')\n"}
    facts = inspect(tmp_path, archive(more={"package.tar.gz": sdist(more=more)}))
    assert facts["findings"] == [] and facts["package"]["lines"] == {"version": 3}


def ask(path: Path) -> dict[str, Any]:
    question = Question(Topic.INSPECT, archive=path)
    return answer(
        {
            "topic": question.topic.value,
            "kind": question.kind,
            "source": question.source,
            "payload": {},
            "archive": str(path),
        }
    )


def test_the_real_sandbox_looks_into_archives(tmp_path: Path) -> None:
    answered = ask(written(tmp_path, archive()))
    assert answered["answer"]["package"]["name"] == "susan-example"
    assert answered["answer"] == inspect_archive(str(tmp_path / "upload.tar.gz"))


def test_the_real_sandbox_and_a_bomb(tmp_path: Path) -> None:
    data = archive(more={"package.tar.gz": bomb(300)})
    assert len(data) < 400_000
    answered = ask(written(tmp_path, data))
    assert sentences(answered["answer"]) == [": Unpacked, the archive is larger than 250 MB."]
