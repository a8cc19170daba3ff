"""Puts the password in front of everything. Written by the control panel: edits are lost."""

import os

MIDDLEWARE = "addons.basic-auth.middleware.BasicAuthMiddleware"


def to_settings(data, settings):
    settings["BASIC_AUTH_OPEN_PATHS"] = tuple((data.get("open_paths") or "").split())
    # Where nobody says otherwise it asks: a mistake must not open the site.
    if os.environ.get("BASIC_AUTH_PLACE") != "elsewhere":
        settings["MIDDLEWARE"].insert(0, MIDDLEWARE)
    return settings
