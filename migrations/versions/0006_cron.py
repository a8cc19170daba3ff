"""cron."""

import sqlalchemy as sa
from alembic import op

revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('cron_jobs',
    sa.Column('environment_id', sa.Integer(), nullable=False),
    sa.Column('label', sa.String(), nullable=False),
    sa.Column('command', sa.String(), nullable=False),
    sa.Column('schedule', sa.String(), nullable=False),
    sa.Column('zone', sa.String(), nullable=False),
    sa.Column('timeout_seconds', sa.Integer(), nullable=False),
    sa.Column('overlap', sa.String(length=32), nullable=False),
    sa.Column('repeats_lost', sa.Boolean(), nullable=False),
    sa.Column('is_paused', sa.Boolean(), nullable=False),
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('uuid', sa.String(), nullable=False),
    sa.ForeignKeyConstraint(['environment_id'], ['environments.id'], name=op.f('fk_cron_jobs_environment_id_environments'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_cron_jobs')),
    sa.UniqueConstraint('uuid', name=op.f('uq_cron_jobs_uuid'))
    )

    with op.batch_alter_table('cron_jobs', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_cron_jobs_environment_id'), ['environment_id'], unique=False)

    op.create_table('cron_runs',
    sa.Column('environment_id', sa.Integer(), nullable=False),
    sa.Column('release_id', sa.Integer(), nullable=False),
    sa.Column('job_uuid', sa.String(), nullable=False),
    sa.Column('label', sa.String(), nullable=False),
    sa.Column('command', sa.String(), nullable=False),
    sa.Column('timeout_seconds', sa.Integer(), nullable=False),
    sa.Column('overlap', sa.String(length=32), nullable=False),
    sa.Column('repeats_lost', sa.Boolean(), nullable=False),
    sa.Column('due_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('attempt', sa.Integer(), nullable=False),
    sa.Column('cause', sa.String(length=32), nullable=False),
    sa.Column('actor_id', sa.Integer(), nullable=True),
    sa.Column('status', sa.String(length=32), nullable=False),
    sa.Column('sentence', sa.String(), nullable=False),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('heartbeat_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('lease_token', sa.String(), nullable=True),
    sa.Column('exit_code', sa.Integer(), nullable=True),
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('uuid', sa.String(), nullable=False),
    sa.ForeignKeyConstraint(['actor_id'], ['users.id'], name=op.f('fk_cron_runs_actor_id_users'), ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['environment_id'], ['environments.id'], name=op.f('fk_cron_runs_environment_id_environments'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['release_id'], ['releases.id'], name=op.f('fk_cron_runs_release_id_releases'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_cron_runs')),
    sa.UniqueConstraint('environment_id', 'job_uuid', 'due_at', 'attempt', name=op.f('uq_cron_runs_environment_id')),
    sa.UniqueConstraint('uuid', name=op.f('uq_cron_runs_uuid'))
    )

    with op.batch_alter_table('cron_runs', schema=None) as batch_op:
        batch_op.create_index('ix_cron_runs_environment_id_job_uuid_id', ['environment_id', 'job_uuid', 'id'], unique=False)
        batch_op.create_index(batch_op.f('ix_cron_runs_status'), ['status'], unique=False)

    op.create_table('cron_clock',
    sa.Column('looked_until', sa.DateTime(timezone=True), nullable=False),
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_cron_clock'))
    )

    with op.batch_alter_table('plans', schema=None) as batch_op:
        batch_op.add_column(sa.Column('cron_seconds', sa.Integer(), server_default='3600', nullable=False))


def downgrade() -> None:
    with op.batch_alter_table('plans', schema=None) as batch_op:
        batch_op.drop_column('cron_seconds')
    op.drop_table('cron_clock')
    op.drop_table('cron_runs')
    op.drop_table('cron_jobs')
