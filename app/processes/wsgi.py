"""The WSGI application behind the two listeners of the web process."""

from __future__ import annotations

import gc
from collections.abc import Iterable
from typing import TYPE_CHECKING

from app.background import real_adapters
from app.config import Settings
from app.factory import create_app, create_internal_app

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


def create_wsgi_app() -> WSGIApplication:
    """One callable for both: which listener a request came in by decides, never its Host."""
    settings = Settings.read()
    adapters = real_adapters(settings)
    panel = create_app(settings, adapters)
    internal = create_internal_app(settings, adapters)
    internal_port = str(settings.internal_port)

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        is_internal = environ.get("SERVER_PORT") == internal_port
        return (internal if is_internal else panel)(environ, start_response)

    _ = adapters.repositories, adapters.job_queue  # pages use these two; loaded once for all
    for name in panel.jinja_env.list_templates(filter_func=lambda name: name.startswith("_")):
        panel.jinja_env.get_template(name)  # the frame and the macros, of which all pages are made
    gc.collect()
    gc.freeze()  # gunicorn forks next: the collector does not write into what its workers share
    return application
