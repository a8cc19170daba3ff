"""Lets Django take PyMySQL for its driver. Written by the control panel: edits are lost."""


def to_settings(data, settings):
    import pymysql

    pymysql.install_as_MySQLdb()
    for database in settings["DATABASES"].values():
        if database["ENGINE"].endswith(".mysql"):
            options = database.setdefault("OPTIONS", {})
            options.setdefault("charset", "utf8mb4")
            collation = data.get("collation") or "utf8mb4_unicode_ci"
            options.setdefault("init_command", f"SET NAMES utf8mb4 COLLATE {collation}")
    return settings
