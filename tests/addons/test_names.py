"""What a package may be called, and which names would be taken for one that is there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.addons.packages.names import clean_package_name, fold_name, inner_name
from app.errors import Invalid
from tests.addons.registered import register
from tests.panel import Panel


@pytest.mark.parametrize("name", ["a", "susan-example", "py3-thing-2", "x" * 60, "line\n"])
def test_names_that_will_do(name: str) -> None:
    assert clean_package_name(f" {name} ") == name.strip()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("", "is needed"),
        ("Susan-Example", "Call it “susan-example”."),
        ("susan_example", "must not contain underscores. Call it “susan-example”."),
        ("susan.example", "Call it “susan-example”."),
        ("susan--example", "Call it “susan-example”."),
        ("-susan", "Call it “susan”."),
        ("3d-viewer", "begins with a letter."),
        ("süsan", "small letters"),
        ("ѕusan", "small letters"),  # a Cyrillic letter first
        ("a/../b", "small letters"),
        ("x" * 61, "at most 60"),
        ("new", "reserved"),
    ],
)
def test_names_that_will_not(name: str, says: str) -> None:
    with pytest.raises(Invalid) as caught:
        clean_package_name(name)
    assert says in caught.value.sentence and caught.value.field == "package_name"


@given(st.text(max_size=80))
def test_a_clean_name_is_a_path_a_module_and_clean_again(text: str) -> None:
    try:
        name = clean_package_name(text)
    except Invalid:
        return
    assert clean_package_name(name) == name
    assert inner_name(name).isidentifier() and name.isascii() and "/" not in name


@pytest.mark.parametrize(
    "name", ["susan-example", "susanexample", "su-san-example", "susan-examp1e"]
)
def test_names_that_look_alike(panel: Panel, name: str) -> None:
    register(panel)
    with pytest.raises(Invalid, match=r"is taken|looks too much like"):
        register(panel, name)


def test_folding() -> None:
    assert fold_name("book") == fold_name("b00k") == fold_name("bo-ok")
    assert fold_name("mail") == fold_name("mall") == fold_name("ma1l")
    assert fold_name("mail") != fold_name("main")
