"""Open-loop load on a service that speaks the videos API: requests go out at their instants, whatever the answers do."""

from cinelet.capacity.load.endpoint import Endpoint
from cinelet.capacity.load.probe import Probe
from cinelet.capacity.load.report import write_load_report
from cinelet.capacity.load.sample import Sample
from cinelet.capacity.load.summary import summarise
from cinelet.capacity.load.wishes import Wishes

__all__ = ["Endpoint", "Probe", "Sample", "Wishes", "summarise", "write_load_report"]
