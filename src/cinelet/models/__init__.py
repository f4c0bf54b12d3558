"""The catalogue of models: names, files, shapes, defaults, limits. The pocket model's weights lie beside it."""

from cinelet.models.adapters import AdapterFiles, Adapters, GetAdapter, pin
from cinelet.models.card import ModelCard
from cinelet.models.catalogue import LORAS, Catalogue
from cinelet.models.files import check_files, check_model, require_model, revision
from cinelet.models.planner import plan

__all__ = [
    "LORAS",
    "AdapterFiles",
    "Adapters",
    "Catalogue",
    "GetAdapter",
    "ModelCard",
    "check_files",
    "check_model",
    "pin",
    "plan",
    "require_model",
    "revision",
]
