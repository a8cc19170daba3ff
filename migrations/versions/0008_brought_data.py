"""data that people bring from home and take home."""

import sqlalchemy as sa
from alembic import op

revision = '0008'
down_revision = '0007'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('backup_uploads',
    sa.Column('part_id', sa.Integer(), nullable=False),
    sa.Column('token_hash', sa.String(), nullable=False),
    sa.Column('recipient', sa.String(), nullable=False),
    sa.Column('finished_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('uuid', sa.String(), nullable=False),
    sa.ForeignKeyConstraint(['part_id'], ['backup_parts.id'], name=op.f('fk_backup_uploads_part_id_backup_parts'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_backup_uploads')),
    sa.UniqueConstraint('part_id', name=op.f('uq_backup_uploads_part_id')),
    sa.UniqueConstraint('token_hash', name=op.f('uq_backup_uploads_token_hash')),
    sa.UniqueConstraint('uuid', name=op.f('uq_backup_uploads_uuid'))
    )

    with op.batch_alter_table('backups', schema=None) as batch_op:
        batch_op.add_column(sa.Column('expires_at', sa.DateTime(timezone=True), nullable=True))

    with op.batch_alter_table('backup_downloads', schema=None) as batch_op:
        batch_op.add_column(sa.Column('is_for_program', sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    with op.batch_alter_table('backup_downloads', schema=None) as batch_op:
        batch_op.drop_column('is_for_program')

    with op.batch_alter_table('backups', schema=None) as batch_op:
        batch_op.drop_column('expires_at')
    op.drop_table('backup_uploads')
