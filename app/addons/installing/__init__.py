"""Addons in a site: planning a change, showing it, and carrying it out as a commit.

A page asks `plan_…` (outside of units of work: it reads Git and may ask the addon), shows
`sentences`, `notes`, `rights` and `diff_of(plan)`, and sends `plan.seen` along. The confirmation
calls `carry_out(lambda: plan_…, seen, actor, store)`, which plans again, opens the unit of work by
itself and tries again when somebody pushed meanwhile.
"""

from app.addons.installing.applying import apply_plan, carry_out
from app.addons.installing.entering import Entered, Refused
from app.addons.installing.plan import CurrentSettings, Plan, diff_of
from app.addons.installing.planning import (
    plan_form,
    plan_install,
    plan_remove,
    plan_save,
    plan_undo,
    plan_upgrade,
)
from app.addons.installing.tip import current_settings

__all__ = [
    "CurrentSettings",
    "Entered",
    "Plan",
    "Refused",
    "apply_plan",
    "carry_out",
    "current_settings",
    "diff_of",
    "plan_form",
    "plan_install",
    "plan_remove",
    "plan_save",
    "plan_undo",
    "plan_upgrade",
]
