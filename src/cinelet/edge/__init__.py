"""Clips on small machines: a model as ONNX files, and what runs them without torch. Knows nothing of jobs or HTTP."""

from cinelet.edge.manifest import Manifest, load_manifest
from cinelet.edge.runner import EdgeRunner
from cinelet.edge.walk import Walk

__all__ = ["EdgeRunner", "Manifest", "Walk", "load_manifest"]
