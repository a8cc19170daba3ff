"""backups."""

import sqlalchemy as sa
from alembic import op

revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('backups',
    sa.Column('environment_id', sa.Integer(), nullable=False),
    sa.Column('actor_id', sa.Integer(), nullable=True),
    sa.Column('origin', sa.String(length=32), nullable=False),
    sa.Column('tier', sa.String(length=32), nullable=True),
    sa.Column('status', sa.String(length=32), nullable=False),
    sa.Column('note', sa.String(), nullable=False),
    sa.Column('sentence', sa.String(), nullable=False),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('heartbeat_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('lease_token', sa.String(), nullable=True),
    sa.Column('proved_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('proof_failed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('proof_sentence', sa.String(), nullable=False),
    sa.Column('deletion_began_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('uuid', sa.String(), nullable=False),
    sa.ForeignKeyConstraint(['actor_id'], ['users.id'], name=op.f('fk_backups_actor_id_users'), ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['environment_id'], ['environments.id'], name=op.f('fk_backups_environment_id_environments'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_backups')),
    sa.UniqueConstraint('uuid', name=op.f('uq_backups_uuid'))
    )

    with op.batch_alter_table('backups', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_backups_environment_id'), ['environment_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_backups_status'), ['status'], unique=False)

    op.create_table('backup_parts',
    sa.Column('backup_id', sa.Integer(), nullable=False),
    sa.Column('instance_id', sa.Integer(), nullable=True),
    sa.Column('content', sa.String(length=32), nullable=False),
    sa.Column('kind', sa.String(length=32), nullable=False),
    sa.Column('version', sa.String(), nullable=False),
    sa.Column('prefix', sa.String(), nullable=False),
    sa.Column('status', sa.String(length=32), nullable=False),
    sa.Column('sentence', sa.String(), nullable=False),
    sa.Column('stored_bytes', sa.BigInteger(), nullable=False),
    sa.Column('plain_bytes', sa.BigInteger(), nullable=False),
    sa.Column('sha256', sa.String(), nullable=False),
    sa.Column('recipient', sa.String(), nullable=False),
    sa.Column('plain_sha256', sa.String(), nullable=False),
    sa.Column('contents', sa.JSON(), nullable=False),
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('uuid', sa.String(), nullable=False),
    sa.ForeignKeyConstraint(['backup_id'], ['backups.id'], name=op.f('fk_backup_parts_backup_id_backups'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['instance_id'], ['service_instances.id'], name=op.f('fk_backup_parts_instance_id_service_instances'), ondelete='SET NULL'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_backup_parts')),
    sa.UniqueConstraint('uuid', name=op.f('uq_backup_parts_uuid'))
    )

    with op.batch_alter_table('backup_parts', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_backup_parts_backup_id'), ['backup_id'], unique=False)

    op.create_table('restorations',
    sa.Column('part_id', sa.Integer(), nullable=True),
    sa.Column('source', sa.String(), nullable=False),
    sa.Column('instance_id', sa.Integer(), nullable=False),
    sa.Column('actor_id', sa.Integer(), nullable=True),
    sa.Column('safety_backup_id', sa.Integer(), nullable=True),
    sa.Column('needs_safety', sa.Boolean(), nullable=False),
    sa.Column('touched_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('status', sa.String(length=32), nullable=False),
    sa.Column('sentence', sa.String(), nullable=False),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('heartbeat_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('lease_token', sa.String(), nullable=True),
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('uuid', sa.String(), nullable=False),
    sa.ForeignKeyConstraint(['actor_id'], ['users.id'], name=op.f('fk_restorations_actor_id_users'), ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['instance_id'], ['service_instances.id'], name=op.f('fk_restorations_instance_id_service_instances'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['part_id'], ['backup_parts.id'], name=op.f('fk_restorations_part_id_backup_parts'), ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['safety_backup_id'], ['backups.id'], name=op.f('fk_restorations_safety_backup_id_backups'), ondelete='SET NULL'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_restorations')),
    sa.UniqueConstraint('uuid', name=op.f('uq_restorations_uuid'))
    )

    with op.batch_alter_table('restorations', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_restorations_instance_id'), ['instance_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_restorations_part_id'), ['part_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_restorations_status'), ['status'], unique=False)
        batch_op.create_index('uq_restorations_one_active', ['instance_id'], unique=True, sqlite_where=sa.text("status IN ('waiting', 'running')"), postgresql_where=sa.text("status IN ('waiting', 'running')"))

    op.create_table('backup_schedules',
    sa.Column('environment_id', sa.Integer(), nullable=False),
    sa.Column('is_on', sa.Boolean(), nullable=False),
    sa.Column('hour', sa.Integer(), nullable=False),
    sa.Column('zone', sa.String(), nullable=False),
    sa.Column('daily', sa.Integer(), nullable=False),
    sa.Column('weekly', sa.Integer(), nullable=False),
    sa.Column('monthly', sa.Integer(), nullable=False),
    sa.Column('taken_for', sa.DateTime(timezone=True), nullable=True),
    sa.Column('absence_told_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['environment_id'], ['environments.id'], name=op.f('fk_backup_schedules_environment_id_environments'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_backup_schedules')),
    sa.UniqueConstraint('environment_id', name=op.f('uq_backup_schedules_environment_id'))
    )

    op.create_table('backup_downloads',
    sa.Column('part_id', sa.Integer(), nullable=False),
    sa.Column('actor_id', sa.Integer(), nullable=False),
    sa.Column('token_hash', sa.String(), nullable=True),
    sa.Column('bytes', sa.BigInteger(), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('status', sa.String(length=32), nullable=False),
    sa.Column('sentence', sa.String(), nullable=False),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('heartbeat_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('lease_token', sa.String(), nullable=True),
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('uuid', sa.String(), nullable=False),
    sa.ForeignKeyConstraint(['actor_id'], ['users.id'], name=op.f('fk_backup_downloads_actor_id_users'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['part_id'], ['backup_parts.id'], name=op.f('fk_backup_downloads_part_id_backup_parts'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_backup_downloads')),
    sa.UniqueConstraint('token_hash', name=op.f('uq_backup_downloads_token_hash')),
    sa.UniqueConstraint('uuid', name=op.f('uq_backup_downloads_uuid'))
    )

    with op.batch_alter_table('backup_downloads', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_backup_downloads_part_id'), ['part_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_backup_downloads_status'), ['status'], unique=False)

    op.create_table('drill_instances',
    sa.Column('part_id', sa.Integer(), nullable=True),
    sa.Column('server_id', sa.Integer(), nullable=False),
    sa.Column('kind', sa.String(length=32), nullable=False),
    sa.Column('key', sa.String(), nullable=False),
    sa.Column('password', sa.Text(), nullable=False),
    sa.Column('lease_token', sa.String(), nullable=True),
    sa.Column('heartbeat_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['part_id'], ['backup_parts.id'], name=op.f('fk_drill_instances_part_id_backup_parts'), ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['server_id'], ['service_servers.id'], name=op.f('fk_drill_instances_server_id_service_servers')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_drill_instances')),
    sa.UniqueConstraint('key', name=op.f('uq_drill_instances_key')),
    sa.UniqueConstraint('part_id', name=op.f('uq_drill_instances_part_id'))
    )

    with op.batch_alter_table('drill_instances', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_drill_instances_server_id'), ['server_id'], unique=False)


def downgrade() -> None:
    op.drop_table('drill_instances')
    op.drop_table('backup_downloads')
    op.drop_table('backup_schedules')
    op.drop_table('restorations')
    op.drop_table('backup_parts')
    op.drop_table('backups')
