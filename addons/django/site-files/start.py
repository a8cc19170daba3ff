"""Starts the web server. Written by the control panel: edits are lost.

gunicorn reads how many workers it should have from WEB_CONCURRENCY.
"""

import os

import django
from django.core.management import call_command
from django.db import connection

COMMAND = ("gunicorn", "wsgi:application", "--bind=0.0.0.0:80", "--access-logfile=-")


def main():
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
    django.setup()
    if connection.vendor == "sqlite":
        # The file is in this container alone: no release command has reached it.
        call_command("migrate", interactive=False, verbosity=0)
        connection.close()
    os.execvp(COMMAND[0], COMMAND)


if __name__ == "__main__":
    main()
