"""How Alembic reaches the panel's database: through the app, one transaction per migration."""

import sqlalchemy
from alembic import context
from flask import current_app

import app.keyrings

database = current_app.extensions["migrate"].db


def render_item(kind, thing, autogen_context):
    """Own column types are written as what they are in the database: migrations outlive them."""
    if kind == "type" and isinstance(thing, app.keyrings.Encrypted):
        return "sa.Text()"
    if kind == "type" and isinstance(thing, sqlalchemy.Enum):
        return f"sa.String(length={thing.length})"
    if kind == "type" and type(thing).__name__ == "UTCDateTime":
        return "sa.DateTime(timezone=True)"
    return False


def run_migrations():
    with database.engine.connect().execution_options(writes=True) as connection:
        context.configure(
            connection=connection,
            target_metadata=database.metadata,
            render_as_batch=True,
            compare_type=True,
            transaction_per_migration=True,
            render_item=render_item,
        )
        with context.begin_transaction():
            context.run_migrations()
        connection.commit()


run_migrations()
