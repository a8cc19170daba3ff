"""Asks for one name and password (RFC 7617). Written by the control panel: edits are lost."""

import base64
import binascii
import hmac
import os

from django.conf import settings
from django.http import HttpResponse


class BasicAuthMiddleware:
    """Without a password in the environment nobody comes in: the site is not opened by mistake."""

    def __init__(self, get_response):
        self.get_response = get_response
        self.user = os.environ.get("BASIC_AUTH_USER", "")
        self.password = os.environ.get("BASIC_AUTH_PASSWORD", "")

    def __call__(self, request):
        if self._is_open(request.path) or self._knows(request.headers.get("Authorization", "")):
            return self.get_response(request)
        answer = HttpResponse("A name and a password are needed.", status=401)
        answer["WWW-Authenticate"] = 'Basic realm="Site", charset="UTF-8"'
        answer["Cache-Control"] = "no-store"
        return answer

    def _is_open(self, path):
        return any(
            path == known or path.startswith(f"{known.rstrip('/')}/")
            for known in settings.BASIC_AUTH_OPEN_PATHS
            if known != "/"
        )

    def _knows(self, header):
        scheme, _, encoded = header.partition(" ")
        if scheme.lower() != "basic" or not self.user or not self.password:
            return False
        try:
            given = base64.b64decode(encoded.strip(), validate=True)
        except (binascii.Error, ValueError):
            return False
        return hmac.compare_digest(given, f"{self.user}:{self.password}".encode())
