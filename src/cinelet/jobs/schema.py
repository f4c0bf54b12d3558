"""The tables, for SQLite and PostgreSQL alike. Instants are unix seconds in double precision; documents are JSON text.

Uniqueness is the database's business: one idempotency key a tenant, one charge a job. Migrations must lead to exactly this
schema; a test compares.
"""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Boolean, Column, Double, ForeignKey, Index, Integer, MetaData, String, Table, Text

metadata = MetaData()
Serial = BigInteger().with_variant(Integer, "sqlite")

tenants = Table(
    "tenants",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("tier", String(16), nullable=False),
    Column("created_at", Double, nullable=False),
    Column("max_waiting", Integer),
    Column("requests_per_minute", Integer),
    Column("quota_s", Double),
    Column("reserved_s", Double, nullable=False),
    Column("used_s", Double, nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("tenant", String(64), ForeignKey("tenants.id"), nullable=False),
    Column("name", String(200), nullable=False),
    Column("digest", String(64), nullable=False, unique=True),
    Column("hint", String(8), nullable=False),
    Column("created_at", Double, nullable=False),
    Column("revoked_at", Double),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("tier", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("model", String(200), nullable=False),
    Column("plan", JSON, nullable=False),
    Column("request", JSON, nullable=False),
    Column("digest", String(64)),
    Column("work_s", Double, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("available_at", Double, nullable=False),
    Column("deadline_at", Double),
    Column("started_at", Double),
    Column("finished_at", Double),
    Column("expires_at", Double),
    Column("deleted_at", Double),
    Column("purged_at", Double),
    Column("attempt", Integer, nullable=False),
    Column("lease_token", String(64)),
    Column("leased_until", Double),
    Column("worker", String(200)),
    Column("stage", String(32)),
    Column("step", Integer, nullable=False),
    Column("checkpoint", String(200)),
    Column("checkpoint_step", Integer, nullable=False),
    Column("preview", String(200)),
    Column("preview_step", Integer, nullable=False),
    Column("result", JSON(none_as_null=True)),
    Column("report", JSON, nullable=False),
    Column("failure_code", String(64)),
    Column("failure_message", Text),
    Column("leader_id", String(64)),
    Column("result_of", String(64)),
    Column("remixed_from", String(64)),
    Column("callback_url", Text),
    Column("body_digest", String(64)),
    Column("reserved_s", Double, nullable=False),
    Column("left_s", Double, nullable=False),
    Column("due_at", Double, nullable=False),
    Column("shape", String(64), nullable=False),
    Column("draft", JSON(none_as_null=True)),
    Index("jobs_by_state", "state", "available_at"),
    Index("jobs_by_load", "state", "leader_id", "tier", "work_s", "created_at"),
    Index("jobs_by_deadline", "state", "leader_id", "due_at"),
    Index("jobs_by_rest", "state", "leader_id", "left_s"),
    Index("jobs_by_age", "state", "leader_id", "created_at"),
    Index("jobs_by_tenant", "tenant", "created_at", "id"),
    Index("jobs_by_body", "tenant", "body_digest"),
    Index("jobs_by_digest", "digest", "state"),
    Index("jobs_made_by_model", "model", "result_of", "finished_at"),
    Index("jobs_by_leader", "leader_id"),
    Index("jobs_by_result", "result_of"),
    Index("jobs_by_expiry", "expires_at"),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("body_digest", String(64), nullable=False),
    Column("job_id", String(64), nullable=False),
    Column("created_at", Double, nullable=False),
)

charges = Table(
    "charges",
    metadata,
    Column("job_id", String(64), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("seconds", Double, nullable=False),
    Column("charged_at", Double, nullable=False),
    Index("charges_by_tenant", "tenant", "charged_at"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    Column("event_id", String(64), nullable=False, unique=True),
    Column("job_id", String(64), nullable=False),
    Column("tenant", String(64), nullable=False),
    Column("type", String(32), nullable=False),
    Column("created_at", Double, nullable=False),
    Index("outbox_by_tenant", "tenant", "seq"),
    sqlite_autoincrement=True,
)

workers = Table(
    "workers",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("models", JSON, nullable=False),
    Column("slots", Integer, nullable=False),
    Column("seen_at", Double, nullable=False),
)

webhook_endpoints = Table(
    "webhook_endpoints",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("name", String(200), nullable=False),
    Column("url", Text, nullable=False),
    Column("secret", String(100), nullable=False),
    Column("old_secret", String(100)),
    Column("old_secret_until", Double),
    Column("event_types", JSON, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    Column("is_disabled", Boolean, nullable=False),
    Index("endpoints_by_tenant", "tenant"),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("seq", Serial, primary_key=True, autoincrement=True),
    Column("event_id", String(64), nullable=False),
    Column("job_id", String(64), nullable=False),
    Column("tenant", String(64), nullable=False),
    Column("endpoint_id", String(64)),
    Column("url", Text, nullable=False),
    Column("type", String(32), nullable=False),
    Column("created_at", Double, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("next_attempt_at", Double),
    Column("delivered_at", Double),
    Column("failure", Text),
    Index("deliveries_by_time", "next_attempt_at"),
    Index("deliveries_by_job", "job_id"),
    sqlite_autoincrement=True,
)
