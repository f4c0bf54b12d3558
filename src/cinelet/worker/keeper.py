"""Begins a clip with what was kept for it, keeps what was done of it, shows how it grows: start image, checkpoints, previews."""

from __future__ import annotations

import tempfile
from pathlib import Path

import structlog

from cinelet.errors import CineletError, EngineDiedError
from cinelet.jobs import MAX_START_IMAGE_BYTES, START_IMAGE, LeaseLostError, Store
from cinelet.media import StartImage, animation
from cinelet.storage import BlobStore, blob_key
from cinelet.worker.port import EnginePort
from cinelet.worker.run import Run

FILE = "checkpoint.safetensors"


class Keeper:
    """For one worker. A store that refuses costs the checkpoint or the preview, not the clip; a lost lease is told to the caller."""

    def __init__(self, store: Store, blobs: BlobStore, engine: EnginePort) -> None:
        self._store = store
        self._blobs = blobs
        self._engine = engine
        self._log = structlog.get_logger("cinelet.worker")

    def admit(self, run: Run) -> None:
        """Begin `run` at its first step, with its start image where it has one. Raises `NotFoundError` where that is gone."""
        digest = run.plan.image
        if digest is None:
            self._engine.admit(run.name, run.plan)
            return
        png = self._blobs.get_bytes(blob_key(run.id, digest, START_IMAGE), MAX_START_IMAGE_BYTES)
        self._engine.admit(run.name, run.plan, StartImage.from_png(png, digest).at_size(run.plan.width, run.plan.height))

    def save(self, run: Run) -> None:
        """A checkpoint of `run`, if it has moved since the last. Raises `LeaseLostError`. A draft is not worth one."""
        if run.step == run.saved_step or run.draft_steps:
            return
        key = blob_key(run.id, run.lease.token, FILE)
        try:
            with tempfile.TemporaryDirectory(prefix="cinelet-") as folder:
                path = Path(folder) / FILE
                self._engine.save(run.name, path)
                self._blobs.put_file(key, path, "application/octet-stream")
            self._store.leases.checkpoint(run.lease, key, run.step)
            run.saved_step = run.step
        except (EngineDiedError, LeaseLostError):
            raise
        except CineletError as error:
            self._log.warning("checkpoint not kept", job_id=run.id, reason=error.message)

    def resume(self, run: Run) -> int:
        """Go on from the last checkpoint, where there is a good one; returns the step, 0 otherwise."""
        key = run.lease.job.checkpoint
        if key is None:
            return 0
        try:
            with tempfile.TemporaryDirectory(prefix="cinelet-") as folder:
                path = Path(folder) / FILE
                self._blobs.get_file(key, path)
                return self._engine.resume(run.name, path)
        except EngineDiedError:
            raise
        except CineletError as error:
            self._log.warning("checkpoint refused", job_id=run.id, reason=error.message)
            return 0

    def show(self, run: Run) -> None:
        """A preview; its loss matters to nobody. Raises `LeaseLostError`."""
        key = blob_key(run.id, run.lease.token, "preview.webp")
        try:
            self._blobs.put_bytes(key, animation(self._engine.preview(run.name), run.plan.duration_s), "image/webp")
            self._store.leases.preview(run.lease, key, run.step)
        except (EngineDiedError, LeaseLostError):
            raise
        except CineletError as error:
            self._log.info("preview not kept", job_id=run.id, reason=error.message)
