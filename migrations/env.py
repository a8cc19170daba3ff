"""How Alembic reaches the panel's database: through the app, one transaction per migration."""

import sqlalchemy
from alembic import context
from flask import current_app

import app.keyrings
import app.seals

database = current_app.extensions["migrate"].db


def render_item(kind, thing, autogen_context):
    """Own column types are written as what they are in the database: migrations outlive them."""
    if kind == "type" and isinstance(thing, (app.keyrings.Encrypted, app.seals.Sealed)):
        return "sa.Text()"
    if kind == "type" and isinstance(thing, sqlalchemy.Enum):
        return f"sa.String(length={thing.length})"
    if kind == "type" and type(thing).__name__ == "UTCDateTime":
        return "sa.DateTime(timezone=True)"
    return False


def run_migrations():
    engine = database.engine
    with engine.connect().execution_options(writes=True) as connection:
        is_sqlite = engine.dialect.name == "sqlite"
        if is_sqlite:
            # SQLite changes a table by making another and dropping the old one, which would take
            # along every row that refers to it. The switch has no effect within a transaction.
            connection.connection.execute("PRAGMA foreign_keys=OFF")
        try:
            context.configure(
                connection=connection,
                target_metadata=database.metadata,
                render_as_batch=True,
                compare_type=True,
                transaction_per_migration=True,
                render_item=render_item,
                on_version_apply=refuse_broken_references if is_sqlite else None,
            )
            with context.begin_transaction():
                context.run_migrations()
            connection.commit()
        finally:
            if is_sqlite:
                connection.rollback()
                connection.connection.execute("PRAGMA foreign_keys=ON")


def refuse_broken_references(ctx, step, heads, run_args):
    """Called within a migration's transaction, which an error takes back."""
    broken = ctx.connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
    if broken:
        raise RuntimeError(
            f"after migration {step.up_revision_id}, rows refer to nothing: {broken[:5]}"
        )


run_migrations()
