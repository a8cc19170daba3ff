"""Django's cache in Redis. Written by the control panel: edits are lost."""

import os


def to_settings(data, settings):
    address = os.environ.get("DEFAULT_CACHE_URL", "")
    if not address.startswith(("redis://", "rediss://", "unix://")):
        return settings  # no service yet: each container keeps a cache of its own
    settings["CACHES"] = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": address,
            "TIMEOUT": int(data.get("seconds") or 300),
        }
    }
    if data.get("has_sessions"):
        settings["SESSION_ENGINE"] = "django.contrib.sessions.backends.cache"
    return settings
