"""What a model needs from a hub: which files of which repository, and the folder they belong in. Nothing of downloads.

Only what a diffusers checkpoint or an adapter is read from is ever named: configuration, tokenizer, safetensors. Pickles are not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from cinelet.errors import ModelFilesError
from cinelet.models.card import ModelCard
from cinelet.models.catalogue import Catalogue
from cinelet.models.hub import HubFile, Snapshot

CHECKPOINT_FILES = re.compile(
    r"model_index\.json|(scheduler|tokenizer|text_encoder|transformer|transformer_2|vae)/\w[\w.-]*\.(json|safetensors)"
    r"|tokenizer/\w[\w.-]*\.(model|txt)"
)
"""The diffusers layout of Wan, one folder deep."""
ADAPTER_FILES = re.compile(r"\w[\w.-]*\.(json|safetensors)")


@dataclass(frozen=True, kw_only=True)
class Parcel:
    """The files of one folder here: those of a `repository` at a `revision`, or of its folder `subfolder` where an adapter is meant."""

    repository: str
    revision: str
    folder: Path
    subfolder: str = ""

    def choose(self, snapshot: Snapshot) -> dict[str, HubFile]:
        """The files to fetch, by their names in the folder. Raises `ModelFilesError` where the repository holds no such thing."""
        prefix, pattern = (f"{self.subfolder}/", ADAPTER_FILES) if self.subfolder else ("", CHECKPOINT_FILES)
        found = {file.path.removeprefix(prefix): file for file in snapshot.files if file.path.startswith(prefix)}
        chosen = {name: file for name, file in found.items() if pattern.fullmatch(name)}
        has_weights = any(name.endswith(".safetensors") for name in chosen)
        if not has_weights or (not self.subfolder and "model_index.json" not in chosen):
            due = f"no *.safetensors in {self.subfolder}" if self.subfolder else "no checkpoint of safetensors in the diffusers layout"
            raise ModelFilesError(f"hub: {self.repository} at {snapshot.commit[:12]} holds {due}")
        return chosen


def parcels(card: ModelCard, catalogue: Catalogue) -> list[Parcel]:
    """What a catalogue's model is made of: its own checkpoint, or its base's and then its adapters."""
    home = catalogue.get(card.base) if card.base else card
    checkpoint = Parcel(repository=home.source, revision=home.revision, folder=card.folder)
    adapters = [
        Parcel(repository=card.source, revision=card.revision, folder=folder, subfolder=name)
        for name, folder in zip(card.loras, card.adapters, strict=True)
    ]
    return [checkpoint, *adapters]
