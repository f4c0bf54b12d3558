"""What a model made, without its hits: read often, to learn what clips cost."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """The index of finished jobs by model tells those that share a result apart. Some databases have it already from development."""
    op.drop_index("jobs_by_model", table_name="jobs", if_exists=True)
    op.create_index("jobs_made_by_model", "jobs", ["model", "result_of", "finished_at"], if_not_exists=True)
