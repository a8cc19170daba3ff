"""Starts Sentry with the site. Written by the control panel: edits are lost."""

import os


def to_settings(data, settings):
    address = os.environ.get("SENTRY_DSN")
    if address and os.environ.get("DJANGO_MODE") != "build":
        import sentry_sdk

        sentry_sdk.init(
            dsn=address,
            environment=os.environ.get("SENTRY_ENVIRONMENT") or os.environ.get("STAGE"),
            traces_sample_rate=float(os.environ.get("SENTRY_TRACES_SAMPLE_RATE") or 0),
            send_default_pii=bool(data.get("has_people")),
        )
    return settings
