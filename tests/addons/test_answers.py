"""Whatever a package answers: it is read strictly, or it is its author's mistake."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.adapters.sandbox import Reason, SandboxFailed
from app.addons import answers, api
from app.addons.answers import read_contribution, read_description, read_settings
from app.addons.contributions import Contribution

NESTED: list[Any] = []
for _ in range(50):
    NESTED = [NESTED]


def of(**words: Any) -> dict[str, Any]:
    """A description with one field that has these words as well."""
    return {"info": None, "fields": [{"name": "it", "label": "It", **words}]}


def test_a_whole_description() -> None:
    info = api.AddonInfo("a-b", "A", "1.0", "s", rights=api.Rights(slots=(api.Slot.NODE,)))
    fields = (api.Field("x", "X", api.FieldType.SELECT, choices=(("a", "A"),), initial=["a"]),)
    told = {"info": msgspec.to_builtins(info), "fields": msgspec.to_builtins(fields)}
    told["warnings"] = ["Careful."]
    found = read_description(json.loads(json.dumps(told)))
    assert found == answers.Description(info, fields, ("Careful.",))


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (None, "no object"),
        ([], "no object"),
        ({"info": None}, "fields"),
        (of(type="sound"), "sound"),
        (of(required="yes"), "bool"),
        (of(initial=1.5), "1.5"),
        (of(initial=float("nan")), "nan"),
        (of(initial=2**70), "no number"),
        (of(initial={"a": 1}), "initial"),
        (of(initial="x" * 20_001), "longer than 20000"),
        (of(label="x" * 301), "longer than 300"),
        (of(label="a\x00b"), "cannot be shown"),
        (of(help_text="\ud800"), "cannot be shown"),
        (of(choices=[["a", "A"]] * 1001), "more than 1000"),
        (of(choices=[["a"]]), "choices"),
        (of(name="a b"), "no name for a field"),
        (of(name="x" * 101), "no name for a field"),
        (of(name=""), "no name for a field"),
        (of(variable="1X"), "no name for a variable"),
        (of(is_secret=True), "names no variable"),
        (of(initial=NESTED), "nested"),
        ({"info": None, "fields": of()["fields"] * 2}, "same name"),
        ({"info": None, "fields": [{"name": f"n{n}", "label": ""} for n in range(101)]}, "100"),
        ({"info": {"name": "x"}, "fields": []}, "info"),
    ],
)
def test_nonsense_in_a_description(answer: Any, said: str) -> None:
    with pytest.raises(SandboxFailed) as failed:
        read_description(answer)
    assert failed.value.reason == Reason.NONSENSE
    assert said in failed.value.sentence
    failed.value.sentence.encode()  # it goes into a page and a database


@pytest.mark.parametrize(
    "words",
    [
        {"rights": {"writes_variables": ["A. It asks for nothing else"]}},
        {"rights": {"reads_variables": [""]}},
        {"rights": {"processes": ["a b"]}},
        {"rights": {"files": ["a\u202eb"]}},
        {"rights": {"files": ["x" * 301]}},
        {"needs": ["../x"]},
        {"categories": ["x" * 301]},
        {"name": "two\nlines"},
    ],
)
def test_what_people_agree_to_is_made_of_names(words: dict[str, Any]) -> None:
    info = {"package_name": "a", "name": "A", "version": "1", "summary": "s"}
    read_description({"info": info, "fields": []})
    with pytest.raises(SandboxFailed):
        read_description({"info": info | words, "fields": []})


@pytest.mark.parametrize(
    "told",
    [
        {"variables": [{"name": "PATH ", "value": ""}]},
        {"processes": [{"name": "a\nb", "command": "x"}]},
        {"services": [{"kind": "redis", "prefix": "A B"}]},
        {"release_commands": [{"label": "x\n## succeeded", "command": "x"}]},
        {"navigation": [{"label": "x\u202e", "path": "/"}]},
        {"files": [{"path": "a\u2028b", "text": ""}]},
    ],
)
def test_names_are_one_line(told: dict[str, Any]) -> None:
    with pytest.raises(SandboxFailed):
        read_contribution(told)


def test_settings_and_errors() -> None:
    kept = read_settings({"settings": {"a": ["x"], "b": None, "c": True, "d": 5}, "errors": {}})
    assert kept.settings == {"a": ["x"], "b": None, "c": True, "d": 5}
    assert kept.settings["c"] is True
    wrong = read_settings({"settings": {"a": 1}, "errors": {"": "No.", "a": ""}})
    assert wrong.settings == {} and wrong.errors[""] == "No." and wrong.errors["a"]


@pytest.mark.parametrize(
    "answer",
    [
        {"settings": {}},
        {"settings": [], "errors": {}},
        {"settings": {"a": 0.5}, "errors": {}},
        {"settings": {"a": {"b": 1}}, "errors": {}},
        {"settings": {"a": [1]}, "errors": {}},
        {"settings": {"x" * 101: 1}, "errors": {}},
        {"settings": {f"n{number}": 1 for number in range(201)}, "errors": {}},
        {"settings": {}, "errors": {"a": None}},
        {"settings": {}, "errors": {"a": "x" * 20_001}},
    ],
)
def test_nonsense_in_settings(answer: Any) -> None:
    with pytest.raises(SandboxFailed):
        read_settings(answer)


WHOLE = Contribution(
    variables=(api.Variable("A", "1"),),
    requirements=(api.Requirement("a==1"),),
    fragments=(api.Fragment(api.Slot.NODE, "RUN x", 5),),
    release_commands=(api.ReleaseCommand("Migrate", "migrate"),),
    services=(api.Service(api.ServiceKind.REDIS, options={"a": "b"}),),
    processes=(api.Process("worker", "run"),),
    navigation=(api.NavigationItem("Admin", "/admin/"),),
    files=(api.File("a.py", "pass"),),
)


def test_a_whole_contribution() -> None:
    told = json.loads(json.dumps(msgspec.to_builtins(WHOLE)))
    assert read_contribution(told) == WHOLE
    assert read_contribution({}) == Contribution()


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Contribution)])
def test_too_much_or_too_little_of_each(name: str) -> None:
    one = msgspec.to_builtins(getattr(WHOLE, name))[0]
    for rows in ([one] * 201, [{}], [[one]], {"a": one}, [dict.fromkeys(one)]):
        with pytest.raises(SandboxFailed):
            read_contribution({name: rows})


def test_other_contributions_and_counts() -> None:
    for told in ({"cron": []}, {"processes": [{"name": "a", "command": "b", "count": -1}]}):
        with pytest.raises(SandboxFailed):
            read_contribution(told)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)
NAMES = st.sampled_from(["info", "fields", "settings", "errors", "files", "variables", "warnings"])


@given(st.dictionaries(NAMES, JSON) | JSON)
def test_anything_is_read_or_refused(answer: Any) -> None:
    for read in (read_description, read_settings, read_contribution):
        try:
            read(answer)
        except SandboxFailed as failed:
            assert failed.sentence.encode()
