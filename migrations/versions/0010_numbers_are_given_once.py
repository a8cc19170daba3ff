"""numbers are given once.

SQLite gives the number of the last row again once that row is gone: whoever still holds it, e.g. a
worker in the middle of a deletion, then means another row. With AUTOINCREMENT it does not, as
PostgreSQL never did. Tables made since have it from the beginning (`app.extensions`).
"""

import re

from alembic import op

revision = '0010'
down_revision = '0009'
branch_labels = None
depends_on = None

REUSES = "PRIMARY KEY (id)"
GIVES_ONCE = "PRIMARY KEY (id AUTOINCREMENT)"


def upgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name != "sqlite":
        return
    tables = connection.exec_driver_sql(
        "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND instr(sql, ?)", (REUSES,)
    )
    for name, sql in tables.fetchall():
        make_anew(connection, name, sql.replace(REUSES, GIVES_ONCE))


def make_anew(connection, name: str, sql: str) -> None:
    """SQLite cannot add the word to a table: https://www.sqlite.org/lang_altertable.html, §7. By
    its own text, so that nothing else about it changes."""
    beside = connection.exec_driver_sql(
        "SELECT sql FROM sqlite_master WHERE tbl_name = ? AND type <> 'table' AND sql NOT NULL",
        (name,),
    )
    statements = [
        re.sub(r'^CREATE TABLE "?\w+"?', f'CREATE TABLE "_new_{name}"', sql),
        f'INSERT INTO "_new_{name}" SELECT * FROM "{name}"',
        f'DROP TABLE "{name}"',
        f'ALTER TABLE "_new_{name}" RENAME TO "{name}"',
        *beside.scalars().all(),
    ]
    for statement in statements:
        connection.exec_driver_sql(statement)


def downgrade() -> None:
    pass  # what came before works with it as well
