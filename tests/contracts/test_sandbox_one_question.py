"""A plugin that checks settings and says in the same question what it adds to the site."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from app.adapters.sandbox import Question, Topic
from app.adapters.sandbox.bubblewrap import BubblewrapSandbox
from tests.contracts.sandbox_fixtures import Box, bubblewrap, sandbox

__all__ = ["bubblewrap", "sandbox"]  # fixtures

PLUGIN = """
from app.addons.api import *
left = []
@hookimpl
def clean_settings(settings):
    left.append("something")
    if settings["word"] == "no":
        raise SettingsError({"word": "Not this one."})
    return {**settings, "word": settings["word"].upper(), "key": "stolen?"}
@hookimpl
def contribute_variables(site):
    told = [f"{name}={value!r}" for name, value in sorted(site.settings.items())]
    return (Variable("TOLD", " ".join([*told, site.slug, *site.addons, *left])),)
"""
SITE = {
    "name": "Demo",
    "slug": "demo",
    "stage": "",
    "settings": {"key": True, "kept": 1, "word": "old"},
    "files": ["a"],
    "addons": ["x", "y"],
}


def ask(box: Box, source: str, word: str = "new", **more: Any) -> Mapping[str, Any]:
    payload = {"settings": {"word": word, "key": True}, **more}
    return box.ask(Question(Topic.VALIDATE, "plugin", source, payload))


def test_the_hooks_are_told_the_settings_as_they_are_to_be_kept(sandbox: Box) -> None:
    answered = ask(sandbox, PLUGIN, site=SITE, secrets=["key"])
    assert answered["settings"] == {"word": "NEW", "key": "stolen?"}
    (told,) = answered["contribution"]["variables"]
    # Neither a secret nor a global of `clean_settings` gets there.
    assert told == {"name": "TOLD", "value": "kept=1 key=True word='NEW' demo x y"}


def test_who_is_not_told_of_a_site_says_nothing_of_it(bubblewrap: BubblewrapSandbox) -> None:
    assert "contribution" not in ask(bubblewrap, PLUGIN)


def test_settings_that_are_refused_add_nothing(bubblewrap: BubblewrapSandbox) -> None:
    answered = ask(bubblewrap, PLUGIN, "no", site=SITE, secrets=["key"])
    assert answered["errors"] == {"word": "Not this one."} and "contribution" not in answered


@pytest.mark.parametrize(
    "body",
    ["1 / 0", "raise SystemExit", "raise MemoryError", "return 'x'", "return Variable(1j, {1: 2})"],
)
def test_a_hook_that_fails_leaves_the_settings_as_they_are(
    bubblewrap: BubblewrapSandbox, body: str
) -> None:
    hook = f"@hookimpl\ndef contribute_files(site):\n    {body}\n"
    answered = ask(bubblewrap, PLUGIN + hook, site=SITE, secrets=["key"])
    assert answered["settings"]["word"] == "NEW" and "contribution" not in answered


def test_who_takes_long_to_check_is_asked_the_rest_by_itself(bubblewrap: BubblewrapSandbox) -> None:
    source = PLUGIN.replace("    left.append", "    import time; time.sleep(1.2)\n    left.append")
    answered = ask(bubblewrap, source, site=SITE, secrets=["key"])
    assert answered["settings"]["word"] == "NEW" and "contribution" not in answered
