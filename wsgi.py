"""What gunicorn serves (`wsgi:create_wsgi_app()`), and what `flask …` finds by itself."""

from app.factory import create_app
from app.processes.web import create_wsgi_app

__all__ = ["create_app", "create_wsgi_app"]
