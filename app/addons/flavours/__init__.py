"""Addons by Flavours, the third kind of package: YAML in the site's own repository.

`app.flavour` lists them, `.flavour/addons/<sha256>` has the description of each, and its form's
values become environment variables. Nothing of such a package runs here: it is only read.
"""
