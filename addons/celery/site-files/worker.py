"""The Celery application: tasks are found in `tasks.py` of every installed application.

Written by the control panel: edits are lost. In the site: `from celery import shared_task`.
"""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")

app = Celery("site")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
