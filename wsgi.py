"""What a WSGI server may serve (`wsgi:create_wsgi_app()`), and what `flask …` finds by itself.

The panel's own web process takes the first from its room, and so loads no commands and migrations.
"""

from app.cli import create_app
from app.processes.wsgi import create_wsgi_app

__all__ = ["create_app", "create_wsgi_app"]
