"""services."""

import sqlalchemy as sa
from alembic import op

revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('service_servers',
    sa.Column('region_id', sa.Integer(), nullable=False),
    sa.Column('kind', sa.String(length=32), nullable=False),
    sa.Column('version', sa.String(), nullable=False),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('is_embedded', sa.Boolean(), nullable=False),
    sa.Column('is_on_offer', sa.Boolean(), nullable=False),
    sa.Column('is_lost', sa.Boolean(), nullable=False),
    sa.Column('secret', sa.Text(), nullable=False),
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('uuid', sa.String(), nullable=False),
    sa.ForeignKeyConstraint(['region_id'], ['regions.id'], name=op.f('fk_service_servers_region_id_regions')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_service_servers')),
    sa.UniqueConstraint('uuid', name=op.f('uq_service_servers_uuid'))
    )

    with op.batch_alter_table('service_servers', schema=None) as batch_op:
        batch_op.create_index('uq_service_servers_embedded', ['region_id', 'kind', 'version'], unique=True, sqlite_where=sa.text('is_embedded'), postgresql_where=sa.text('is_embedded'))

    op.create_table('service_instances',
    sa.Column('environment_id', sa.Integer(), nullable=False),
    sa.Column('server_id', sa.Integer(), nullable=False),
    sa.Column('kind', sa.String(length=32), nullable=False),
    sa.Column('prefix', sa.String(), nullable=False),
    sa.Column('state', sa.String(length=32), nullable=False),
    sa.Column('sentence', sa.String(), nullable=False),
    sa.Column('key', sa.String(), nullable=False),
    sa.Column('password', sa.Text(), nullable=False),
    sa.Column('encrypted_facts', sa.Text(), nullable=False),
    sa.Column('options', sa.JSON(), nullable=False),
    sa.Column('addon', sa.String(), nullable=False),
    sa.Column('provisioned_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('lease_token', sa.String(), nullable=True),
    sa.Column('heartbeat_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('used_bytes', sa.BigInteger(), nullable=True),
    sa.Column('used_connections', sa.Integer(), nullable=True),
    sa.Column('used_objects', sa.Integer(), nullable=True),
    sa.Column('measured_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('uuid', sa.String(), nullable=False),
    sa.Column('trashed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('trashed_by_id', sa.Integer(), nullable=True),
    sa.ForeignKeyConstraint(['environment_id'], ['environments.id'], name=op.f('fk_service_instances_environment_id_environments'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['server_id'], ['service_servers.id'], name=op.f('fk_service_instances_server_id_service_servers')),
    sa.ForeignKeyConstraint(['trashed_by_id'], ['users.id'], name=op.f('fk_service_instances_trashed_by_id_users'), ondelete='SET NULL'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_service_instances')),
    sa.UniqueConstraint('environment_id', 'kind', 'prefix', name=op.f('uq_service_instances_environment_id')),
    sa.UniqueConstraint('key', name=op.f('uq_service_instances_key')),
    sa.UniqueConstraint('uuid', name=op.f('uq_service_instances_uuid'))
    )

    with op.batch_alter_table('service_instances', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_service_instances_environment_id'), ['environment_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_service_instances_server_id'), ['server_id'], unique=False)

    with op.batch_alter_table('releases', schema=None) as batch_op:
        batch_op.add_column(sa.Column('services', sa.JSON(), server_default='[]', nullable=False))
        batch_op.add_column(sa.Column('processes', sa.JSON(), server_default='[]', nullable=False))
        batch_op.add_column(sa.Column('cron_jobs', sa.JSON(), server_default='[]', nullable=False))


def downgrade() -> None:
    with op.batch_alter_table('releases', schema=None) as batch_op:
        batch_op.drop_column('cron_jobs')
        batch_op.drop_column('processes')
        batch_op.drop_column('services')
    op.drop_table('service_instances')
    op.drop_table('service_servers')
