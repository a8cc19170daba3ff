"""Registering an addon and changing it: rules, rows and audit lines."""

from __future__ import annotations

import pytest

from app.addons.models import Audience, Channel
from app.addons.operations import (
    AddonSettings,
    NewAddon,
    move_version,
    register_addon,
    remove_addon_collaborator,
    set_addon_collaborator,
    set_changes,
    unyank_version,
    update_addon,
    yank_version,
)
from app.addons.queries import rights_on_addon
from app.audit.models import AuditLine
from app.audit.words import sentence
from app.errors import Invalid
from app.extensions import db
from app.organisations.operations import remove_member
from app.organisations.queries import find_member
from app.permissions import ADDON_USE, ADDON_WORK
from tests.addons.registered import addon, register, upload
from tests.panel import ADAM, ALICE, BOB, CHARLIE, DORA, ERIN, Panel, organisation, user_of


def told(panel: Panel) -> list[str]:
    """What the audit log says of addons."""
    with panel.reading():
        lines = db.session.scalars(
            db.select(AuditLine).where(AuditLine.action.startswith("addon.")).order_by(AuditLine.id)
        )
        return [sentence(line) for line in lines]


def test_a_regular_member_works_on_what_they_register(panel: Panel) -> None:
    register(panel, person=DORA)
    with panel.reading():
        (own,) = addon().collaborators
        assert (own.user.name, own.can_update) == ("Dora", True)
        assert rights_on_addon(addon(), user_of(DORA)) == ADDON_WORK
        assert addon().licence == "MIT" and addon().audience == Audience.PRIVATE
    assert told(panel) == ["Dora registered the addon susan-example"]


def test_an_owner_needs_no_row(panel: Panel) -> None:
    register(panel)
    with panel.reading():
        assert addon().collaborators == []


def test_what_was_refused_is_not_there(panel: Panel) -> None:
    with pytest.raises(Invalid), panel.work():
        register_addon(NewAddon("good-name", "x" * 200), organisation(), user_of(ALICE))
    assert told(panel) == []


def test_settings(panel: Panel) -> None:
    register(panel)
    wanted = AddonSettings(
        "Susan's", "Greets.", "BSD-3-Clause", Audience.PUBLIC, (" SEO ", "Blog", "seo", "")
    )
    with panel.work():
        update_addon(addon(), wanted, user_of(ALICE))
    with panel.work():
        update_addon(addon(), wanted, user_of(ALICE))  # nothing new: no line
        assert addon().categories == ["seo", "blog"] and addon().audience == Audience.PUBLIC
    assert told(panel)[1:] == ["Alice changed the settings of the addon susan-example"]


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        (AddonSettings(""), "name"),
        (AddonSettings("x", "y" * 301), "summary"),
        (AddonSettings("x", "a\x00b"), "summary"),
        (AddonSettings("x", licence="y" * 101), "licence"),
        (AddonSettings("x", categories=tuple("abcdef")), "categories"),
        (AddonSettings("x", categories=("y" * 31,)), "categories"),
    ],
)
def test_settings_that_cannot_be_used(panel: Panel, wanted: AddonSettings, field: str) -> None:
    register(panel)
    with pytest.raises(Invalid) as caught, panel.work():
        update_addon(addon(), wanted, user_of(ALICE))
    assert caught.value.field == field


def test_the_way_of_a_version(panel: Panel) -> None:
    register(panel)
    upload(panel)
    with panel.work():
        (version,), alice = addon().versions, user_of(ALICE)
        move_version(version, Channel.STABLE, alice)
        move_version(version, Channel.STABLE, alice)
        set_changes(version, "Better.", alice)
        yank_version(version, " It breaks. ", alice)
    with panel.work():
        (version,), alice = addon().versions, user_of(ALICE)
        assert version.is_yanked and version.yank_reason == "It breaks."
        with pytest.raises(Invalid, match="was yanked"):
            move_version(version, Channel.ALPHA, alice)
        unyank_version(version, alice)
        unyank_version(version, alice)
    with panel.work():
        (version,) = addon().versions
        assert (version.is_yanked, version.yank_reason) == (False, "")
        assert (version.channel, version.changes) == (Channel.STABLE, "Better.")
        with pytest.raises(Invalid, match="Say why"):
            yank_version(version, " ", user_of(ALICE))
    assert told(panel)[1:] == [
        "Alice uploaded susan-example 1.0",
        "Alice moved susan-example 1.0 to the channel stable",
        "Alice said what is new in susan-example 1.0",
        "Alice yanked susan-example 1.0",
        "Alice offers susan-example 1.0 again",
    ]


def test_collaborators(panel: Panel) -> None:
    register(panel)
    with panel.work():
        set_addon_collaborator(addon(), BOB.email, False, user_of(ALICE))
    with panel.work():
        assert rights_on_addon(addon(), user_of(BOB)) == ADDON_USE
        set_addon_collaborator(addon(), BOB.email.upper(), True, user_of(ALICE))
    with panel.work():
        assert rights_on_addon(addon(), user_of(BOB)) == ADDON_WORK
        (row,) = addon().collaborators
        remove_addon_collaborator(addon(), row, user_of(ALICE))
    with panel.reading():
        assert rights_on_addon(addon(), user_of(BOB)) == frozenset()
    assert told(panel)[1:] == [
        "Alice let bob@example.com work on the addon susan-example",
        "Alice changed what bob@example.com may do on the addon susan-example",
        "Alice took the addon susan-example from bob@example.com",
    ]


@pytest.mark.parametrize(
    ("person", "says"),
    [(CHARLIE, "Only members"), (ADAM, "anyway"), (ERIN, "is a site editor")],
)
def test_who_cannot_be_a_collaborator(panel: Panel, person: object, says: str) -> None:
    register(panel)
    email = getattr(person, "email", "")
    with pytest.raises(Invalid, match=says), panel.work():
        set_addon_collaborator(addon(), email, True, user_of(ALICE))


def test_the_work_ends_with_the_membership(panel: Panel) -> None:
    register(panel, person=DORA)
    with panel.work():
        member = find_member(organisation().id, user_of(DORA).id)
        assert member is not None
        remove_member(member, user_of(ALICE))
    with panel.reading():
        assert addon().collaborators == []
        assert rights_on_addon(addon(), user_of(DORA)) == frozenset()
