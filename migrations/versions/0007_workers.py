"""workers."""

import sqlalchemy as sa
from alembic import op

revision = '0007'
down_revision = '0006'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('worker_processes',
    sa.Column('application_id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('command', sa.String(), nullable=False),
    sa.Column('count', sa.Integer(), nullable=False),
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('uuid', sa.String(), nullable=False),
    sa.ForeignKeyConstraint(['application_id'], ['applications.id'], name=op.f('fk_worker_processes_application_id_applications'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_worker_processes')),
    sa.UniqueConstraint('application_id', 'name', name=op.f('uq_worker_processes_application_id')),
    sa.UniqueConstraint('uuid', name=op.f('uq_worker_processes_uuid'))
    )

    with op.batch_alter_table('worker_processes', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_worker_processes_application_id'), ['application_id'], unique=False)

    op.create_table('worker_containers',
    sa.Column('environment_id', sa.Integer(), nullable=False),
    sa.Column('deployment_id', sa.Integer(), nullable=False),
    sa.Column('release_id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(), nullable=False),
    sa.Column('process', sa.String(), nullable=False),
    sa.Column('is_running', sa.Boolean(), nullable=False),
    sa.Column('restarts', sa.Integer(), nullable=False),
    sa.Column('exit_code', sa.Integer(), nullable=True),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('restart_asked_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['deployment_id'], ['deployments.id'], name=op.f('fk_worker_containers_deployment_id_deployments'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['environment_id'], ['environments.id'], name=op.f('fk_worker_containers_environment_id_environments'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['release_id'], ['releases.id'], name=op.f('fk_worker_containers_release_id_releases')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_worker_containers')),
    sa.UniqueConstraint('name', name=op.f('uq_worker_containers_name'))
    )

    with op.batch_alter_table('worker_containers', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_worker_containers_environment_id'), ['environment_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_worker_containers_deployment_id'), ['deployment_id'], unique=False)

    with op.batch_alter_table('deployments', schema=None) as batch_op:
        batch_op.add_column(sa.Column('warning', sa.String(), server_default='', nullable=False))

    with op.batch_alter_table('plans', schema=None) as batch_op:
        batch_op.add_column(sa.Column('worker_containers', sa.Integer(), server_default='8', nullable=False))


def downgrade() -> None:
    with op.batch_alter_table('plans', schema=None) as batch_op:
        batch_op.drop_column('worker_containers')

    with op.batch_alter_table('deployments', schema=None) as batch_op:
        batch_op.drop_column('warning')
    op.drop_table('worker_containers')
    op.drop_table('worker_processes')
