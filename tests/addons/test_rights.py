"""What a package asks for: in words, stored, and widened."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.addons.api import Rights, ServiceKind, Slot
from app.addons.rights import read_rights, widened, words_of, write_rights
from tests.panel import Panel

RIGHTS = st.builds(
    Rights,
    reads_variables=st.lists(st.sampled_from(["A", "B", "C"]), unique=True).map(tuple),
    writes_variables=st.lists(st.sampled_from(["A", "B", "C"]), unique=True).map(tuple),
    slots=st.lists(st.sampled_from(Slot), unique=True).map(tuple),
    services=st.lists(st.sampled_from(ServiceKind), unique=True).map(tuple),
    processes=st.lists(st.sampled_from(["worker", "beat"]), unique=True).map(tuple),
    files=st.lists(st.sampled_from(["a/", "a/b", "c"]), unique=True).map(tuple),
    has_release_commands=st.booleans(),
    has_requirements=st.booleans(),
)


@pytest.mark.parametrize(
    ("rights", "sentence"),
    [
        (Rights(writes_variables=("A",)), "It sets the variable A."),
        (Rights(writes_variables=("A", "B")), "It sets the variables A and B."),
        (Rights(reads_variables=("A", "B", "C")), "It reads the variables A, B and C."),
        (Rights(processes=("beat",)), "It adds 1 process beside the site: beat."),
        (Rights(services=(ServiceKind.REDIS,)), "It needs a cache (Redis)."),
        (Rights(slots=(Slot.NPM,)), "It writes parts of the Dockerfile: packages from npm."),
        (Rights(has_requirements=True), "It adds lines to requirements.in."),
        (
            Rights(files=("start.py", "static/")),
            "It puts files into the repository: start.py and everything in static/.",
        ),
    ],
)
def test_words(panel: Panel, rights: Rights, sentence: str) -> None:
    with panel.app.test_request_context():
        assert words_of(rights) == [sentence]


def test_every_right_has_words(panel: Panel) -> None:
    """A kind of right that is added to the contract and forgotten here fails."""
    full = Rights(("A",), ("B",), tuple(Slot), tuple(ServiceKind), ("p",), ("f",), True, True)
    with panel.app.test_request_context():
        assert len(words_of(full)) == len(Rights.__dataclass_fields__)
        assert words_of(Rights()) == []


@given(RIGHTS)
def test_stored_rights_come_back(rights: Rights) -> None:
    assert read_rights(write_rights(rights)) == rights
    assert widened(rights, rights) is None
    assert widened(rights, Rights()) is None


@given(RIGHTS, RIGHTS)
def test_what_is_widened_is_enough(old: Rights, new: Rights) -> None:
    """With what is told as more, everything new was agreed to; and no less of it."""
    more = widened(old, new)
    if more is None:
        return
    both = Rights(
        **{
            name: getattr(old, name) + getattr(more, name)
            if isinstance(getattr(old, name), tuple)
            else getattr(old, name) or getattr(more, name)
            for name in Rights.__dataclass_fields__
        }
    )
    assert widened(both, new) is None
    assert widened(old, more) == more


def test_a_folder_covers_what_lies_below_it() -> None:
    old = Rights(files=("static/", "start.py"))
    assert widened(old, Rights(files=("static/site.css",))) is None
    assert widened(old, Rights(files=("static.css",))) == Rights(files=("static.css",))
    assert widened(Rights(files=("static/a",)), Rights(files=("static/",))) is not None
