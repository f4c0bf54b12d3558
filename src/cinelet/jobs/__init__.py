"""The durable truth: what was accepted, who works on it, what came of it, who must be told."""

from cinelet.jobs.bell import Bell
from cinelet.jobs.database import Database
from cinelet.jobs.endpoints import Endpoint
from cinelet.jobs.identifier import is_id, new_id, region_of
from cinelet.jobs.intake import Accepted
from cinelet.jobs.job import DECODING, MAX_START_IMAGE_BYTES, START_IMAGE, Beat, Candidate, Failure, Job, Lease, Submission, Tier
from cinelet.jobs.leases import LeaseLostError
from cinelet.jobs.outbox import Delivery, Event
from cinelet.jobs.store import Store
from cinelet.jobs.tenants import ApiKey, Tenant

__all__ = [
    "DECODING",
    "MAX_START_IMAGE_BYTES",
    "START_IMAGE",
    "Accepted",
    "ApiKey",
    "Beat",
    "Bell",
    "Candidate",
    "Database",
    "Delivery",
    "Endpoint",
    "Event",
    "Failure",
    "Job",
    "Lease",
    "LeaseLostError",
    "Store",
    "Submission",
    "Tenant",
    "Tier",
    "is_id",
    "new_id",
    "region_of",
]
