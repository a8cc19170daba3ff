"""shared services."""

import sqlalchemy as sa
from alembic import op

revision = '0009'
down_revision = '0008'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('service_shares',
    sa.Column('instance_id', sa.Integer(), nullable=False),
    sa.Column('environment_id', sa.Integer(), nullable=False),
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('uuid', sa.String(), nullable=False),
    sa.ForeignKeyConstraint(['environment_id'], ['environments.id'], name=op.f('fk_service_shares_environment_id_environments'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['instance_id'], ['service_instances.id'], name=op.f('fk_service_shares_instance_id_service_instances'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_service_shares')),
    sa.UniqueConstraint('instance_id', 'environment_id', name=op.f('uq_service_shares_instance_id')),
    sa.UniqueConstraint('uuid', name=op.f('uq_service_shares_uuid'))
    )

    with op.batch_alter_table('service_shares', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_service_shares_environment_id'), ['environment_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_service_shares_instance_id'), ['instance_id'], unique=False)

    with op.batch_alter_table('service_instances', schema=None) as batch_op:
        batch_op.add_column(sa.Column('original_id', sa.Integer(), nullable=True))
        batch_op.create_index(batch_op.f('ix_service_instances_original_id'), ['original_id'], unique=False)
        batch_op.create_foreign_key(batch_op.f('fk_service_instances_original_id_service_instances'), 'service_instances', ['original_id'], ['id'], ondelete='SET NULL')


def downgrade() -> None:
    with op.batch_alter_table('service_instances', schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f('fk_service_instances_original_id_service_instances'), type_='foreignkey')
        batch_op.drop_index(batch_op.f('ix_service_instances_original_id'))
        batch_op.drop_column('original_id')
    op.drop_table('service_shares')
