"""Changes in words: with all that follows from them, or as those read it who fill in forms."""

from __future__ import annotations

from collections.abc import Sequence

from app.addons import api
from app.addons.installing import Plan
from app.addons.installing.words import Settings, about_secrets, about_settings
from app.addons.models import AddonChange

_CHANGED = "x"


def sentences_of(change: AddonChange, fields: Sequence[api.Field]) -> list[str]:
    """What a change did to the settings; fields the form has no longer go by their name."""
    secrets = dict.fromkeys(change.secrets, _CHANGED)
    settings = Settings(fields, change.before, change.after)
    return [*about_settings(settings), *about_secrets(fields, secrets)]


def sentences_for(plan: Plan, is_technical: bool) -> Sequence[str]:
    """What a plan would do. Variables and processes have names for those who build sites only."""
    if is_technical:
        return plan.sentences
    fields = plan.version.fields
    settings = Settings(fields, plan.settings_before, plan.settings_after)
    return [*about_settings(settings), *about_secrets(fields, plan.secrets)]
