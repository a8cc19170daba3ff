"""Has Django load the Celery application, so that web processes know the broker.

Written by the control panel: edits are lost.
"""

from django.apps import AppConfig


class SiteCeleryConfig(AppConfig):
    name = "addons.celery"
    label = "site_celery"

    def ready(self):
        from addons.celery import worker  # noqa: F401  # shared tasks find it by its being there
