"""How much load there is and what it takes: traces, arrivals, the load probe, reports."""

from cinelet.capacity.arrivals import bursty, daily, even, flash_crowd, index_of_dispersion, poisson, ramp
from cinelet.capacity.mix import REFERENCE_MIX, JobClass, Mix, mixed, parse_mix, parse_tiers
from cinelet.capacity.source import SPECS, Source, parse_arrivals, parse_ramp
from cinelet.capacity.trace import TIERS, Arrival, Tier, read_trace, write_trace

__all__ = [
    "REFERENCE_MIX",
    "SPECS",
    "TIERS",
    "Arrival",
    "JobClass",
    "Mix",
    "Source",
    "Tier",
    "bursty",
    "daily",
    "even",
    "flash_crowd",
    "index_of_dispersion",
    "mixed",
    "parse_arrivals",
    "parse_mix",
    "parse_ramp",
    "parse_tiers",
    "poisson",
    "ramp",
    "read_trace",
    "write_trace",
]
