"""What a process tells of itself: metrics and log lines. Nothing of what it does."""

from cinelet.telemetry.logs import configure, context, get_logger
from cinelet.telemetry.metrics import CONTENT_TYPE, Metrics

__all__ = ["CONTENT_TYPE", "Metrics", "configure", "context", "get_logger"]
