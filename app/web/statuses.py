"""One status vocabulary for all pages: word, colour and icon, defined once (pages.md, 6)."""

from __future__ import annotations

from dataclasses import dataclass

from flask_babel import lazy_gettext as _l


@dataclass(frozen=True)
class Status:
    """How a state looks. `colour` is a Tabler colour; `icon` a name in the icon sprite."""

    word: object
    colour: str
    icon: str


STATUSES = {
    "queued": Status(_l("Waiting"), "secondary", "clock"),
    "running": Status(_l("Running"), "blue", "loader"),
    "succeeded": Status(_l("Succeeded"), "green", "check"),
    "failed": Status(_l("Failed"), "red", "x"),
    "cancelled": Status(_l("Cancelled"), "secondary", "ban"),
    "skipped": Status(_l("Skipped"), "secondary", "minus"),
    "deploying": Status(_l("Deploying"), "blue", "loader"),
    "up": Status(_l("Online"), "green", "check"),
    "runs": Status(_l("Running"), "green", "check"),
    "starting": Status(_l("Starting"), "blue", "loader"),
    "restarting": Status(_l("Being restarted"), "blue", "loader"),
    "troubled": Status(_l("Keeps ending"), "red", "alert-triangle"),
    "empty": Status(_l("Not deployed yet"), "secondary", "circle-dashed"),
    "down": Status(_l("Offline"), "red", "x"),
    "late": Status(_l("Late"), "yellow", "clock"),
    "live": Status(_l("Live"), "green", "circle-check"),
    "not_live": Status(_l("Not live yet"), "secondary", "circle-dashed"),
    "unproved": Status(_l("Not proved yet"), "yellow", "clock"),
    "expired": Status(_l("Not proved in time"), "secondary", "ban"),
    "taken": Status(_l("Proved by somebody else"), "red", "x"),
    "undeployed": Status(_l("From the next deployment on"), "blue", "rocket"),
    "served": Status(_l("Served"), "green", "check"),
    "published": Status(_l("Published"), "green", "check"),
    "tried": Status(_l("On the test site, not live yet"), "blue", "rocket"),
    "saved": Status(_l("Saved, not published yet"), "yellow", "clock"),
    "alpha": Status(_l("Alpha"), "secondary", "flask"),
    "beta": Status(_l("Beta"), "yellow", "flask"),
    "stable": Status(_l("Stable"), "green", "circle-check"),
    "yanked": Status(_l("Yanked"), "red", "ban"),
    "waiting": Status(_l("Waiting"), "secondary", "clock"),
    "timed_out": Status(_l("Took too long"), "red", "clock"),
    "missed": Status(_l("Missed"), "yellow", "alert-triangle"),
    "unknown": Status(_l("Not known"), "yellow", "alert-triangle"),
    "paused": Status(_l("Paused"), "secondary", "minus"),
    "new": Status(_l("New"), "secondary", "circle-dashed"),
    "provisioning": Status(_l("Being provisioned"), "blue", "loader"),
    "pending_attachment": Status(_l("Ready, attached at the next deployment"), "blue", "rocket"),
    "attached": Status(_l("Attached"), "green", "check"),
    "pending_detachment": Status(_l("Detached at the next deployment"), "yellow", "clock"),
    "detached": Status(_l("Detached"), "secondary", "minus"),
    "removing": Status(_l("Being removed"), "yellow", "loader"),
    "proved": Status(_l("Proved restorable"), "green", "circle-check"),
    "unrestorable": Status(_l("Not restorable"), "red", "x"),
}
