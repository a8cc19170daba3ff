"""YAML that means harm, or nothing: refused with a sentence, and quickly."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.addons.flavours.yaml_text import DEEPEST, LARGEST, read_yaml
from app.errors import Invalid

LAUGHS = "a: &a [ha, ha, ha]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(20)
)
REFUSED = {
    "a billion laughs": (LAUGHS, "anchor or alias"),
    "a loop": ("a: &a\n  b: *a\n", "anchor or alias"),
    "a tag": ("a: !!python/object/apply:os._exit [1]\n", "uses a tag, in line 1"),
    "a tag of its own": ("a: 1\nb: !thing x\n", "uses a tag, in line 2"),
    "a key twice": ("a: 1\nb: 2\na: 3\n", "says “a” twice, in line 3"),
    "two documents": ("a: 1\n---\na: 2\n", "second document"),
    "a list as a key": ("? [a, b]\n: 1\n", "as a key"),
    "too deep": ("[" * 5_000 + "]" * 5_000, "nested too deeply"),
    "too deep in maps": ("".join(" " * n + "a:\n" for n in range(200)), "nested too deeply"),
    "never closed": ("a: [1, 2", "no valid YAML"),
    "a tab": ("a:\n\tb: 1\n", "no valid YAML in line 2"),
    "control characters": ("a: \x01\n", "no valid YAML"),
    "too large": ("a: " + "x" * LARGEST, "too large"),
}


@pytest.mark.parametrize(("text", "sentence"), REFUSED.values(), ids=REFUSED)
def test_refused(text: str, sentence: str) -> None:
    began = time.monotonic()
    with pytest.raises(Invalid, match=sentence):
        read_yaml(text.encode(), "app.flavour")
    assert time.monotonic() - began < 0.5


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(Invalid, match="not UTF-8"):
        read_yaml(b"a: \xff\xfe\n", "app.flavour")


def test_all_values_stay_as_they_were_written() -> None:
    text = "version: 1.10\nwhen: 2020-01-01\nno: no\nnothing:\nnumber: 0x10\nlist: [1, null]\n"
    assert read_yaml(text.encode(), "x") == {
        "version": "1.10",
        "when": "2020-01-01",
        "no": "no",
        "nothing": "",
        "number": "0x10",
        "list": ["1", "null"],
    }


def test_nothing_is_an_empty_text() -> None:
    assert read_yaml(b"", "x") == read_yaml(b"# a remark\n", "x") == ""


@given(st.binary(max_size=300) | st.text("abc:-[]{},&*!|>'\"?% \n\t#", max_size=200))
def test_nothing_else_is_ever_raised(content: bytes | str) -> None:
    try:
        found = read_yaml(content if isinstance(content, bytes) else content.encode(), "x")
    except Invalid as error:
        assert error.sentence.startswith("“x” ")
    else:
        assert depth(found) <= DEEPEST


def depth(node: object) -> int:
    if isinstance(node, dict):
        return 1 + max(map(depth, node.values()), default=0)
    return 1 + max(map(depth, node), default=0) if isinstance(node, list) else 0
