"""What scheduling aims at and what is left to do; drafts that are shown before the clip."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

FAR_AT = "4000000000"
INDEXES = {"jobs_by_deadline": "due_at", "jobs_by_rest": "left_s", "jobs_by_age": "created_at"}


def upgrade() -> None:
    """Jobs from before have their whole work to do and no deadline."""
    with op.batch_alter_table("jobs") as jobs:
        jobs.add_column(sa.Column("left_s", sa.Double(), nullable=False, server_default="0"))
        jobs.add_column(sa.Column("due_at", sa.Double(), nullable=False, server_default=FAR_AT))
        jobs.add_column(sa.Column("shape", sa.String(length=64), nullable=False, server_default=""))
        jobs.add_column(sa.Column("draft", sa.JSON(), nullable=True))
    op.execute("UPDATE jobs SET left_s = work_s")
    with op.batch_alter_table("jobs") as jobs:
        jobs.alter_column("left_s", existing_type=sa.Double(), server_default=None)
        jobs.alter_column("due_at", existing_type=sa.Double(), server_default=None)
        jobs.alter_column("shape", existing_type=sa.String(length=64), server_default=None)
        for name, column in INDEXES.items():
            jobs.create_index(name, ["state", "leader_id", column])
