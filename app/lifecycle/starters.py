"""What a new application's repository begins with."""

from __future__ import annotations

import html

from app.applications.models import Application, Starter

STATIC_DOCKERFILE = """\
# A static site: everything under public/ is served as it is.
FROM moonbase/static:1
COPY public /site
EXPOSE 80
"""
STATIC_PAGE = """\
<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>{name}</title>
    <link rel="stylesheet" href="site.css">
  </head>
  <body>
    <main>
      <h1>{name}</h1>
      <p>This page is public/index.html. Change it, commit, push and deploy.</p>
    </main>
  </body>
</html>
"""
STATIC_STYLE = """\
:root { color-scheme: light dark; font-family: system-ui, sans-serif; }
body { display: grid; min-height: 100vh; margin: 0; place-items: center; }
main { max-width: 36rem; padding: 2rem; text-align: center; }
"""


def starter_files(application: Application) -> dict[str, bytes | None]:
    """Files of the first commit; none for “build your own”, whose code the person pushes."""
    if application.starter == Starter.BLANK:
        return {}
    page = STATIC_PAGE.format(name=html.escape(application.name))
    return {
        "Dockerfile": STATIC_DOCKERFILE.encode(),
        "public/index.html": page.encode(),
        "public/site.css": STATIC_STYLE.encode(),
    }
