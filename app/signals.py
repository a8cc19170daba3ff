"""Signals between rooms. A receiver only enqueues or forgets something cached; never more."""

from __future__ import annotations

from blinker import Namespace

_signals = Namespace()

repository_pushed = _signals.signal("repository-pushed")
"""Sent after the commit with `application_id` and `branches` (those whose tip moved)."""

step_started = _signals.signal("step-started")
"""Sent by the pipeline runner with `deployment` (uuid) and `step` (name), before the step."""

deletion_stage_begun = _signals.signal("deletion-stage-begun")
"""Sent by the final deletion with `number` and `stage` (name), before the stage."""
