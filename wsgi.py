"""What gunicorn serves: the panel, and on the internal port the ingress feed."""

from app.processes.web import create_wsgi_app

application = create_wsgi_app()
