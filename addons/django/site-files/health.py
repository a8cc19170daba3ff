"""The page that says whether the site works. Written by the control panel: edits are lost."""

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import JsonResponse


def health(request):
    """200 when the database answers, 503 otherwise."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return JsonResponse({"status": "the database does not answer"}, status=503)
    return JsonResponse({"status": "ok"})


def site_title(request):
    """The title, for templates."""
    return {"SITE_TITLE": settings.SITE_TITLE}
