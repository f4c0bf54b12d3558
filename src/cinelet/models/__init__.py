"""The catalogue of models: names, files, shapes, defaults, limits. The pocket model's weights lie beside it."""

from cinelet.models.card import ModelCard
from cinelet.models.catalogue import Catalogue
from cinelet.models.files import check_files, require_files
from cinelet.models.planner import plan

__all__ = ["Catalogue", "ModelCard", "check_files", "plan", "require_files"]
