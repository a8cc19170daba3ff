"""What runs inside the sandbox, and nothing else of the panel with it.

Only the standard library, `app.addons.api` and pluggy are there (the latter two for kind `plugin`).
Importing is most of what a question costs, so each topic imports what it needs.
"""
