"""Frames to published files: encode, store, commit. Runs beside the decode and the next steps; a slow store must not stop the beat."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import structlog

from cinelet.errors import CineletError, InternalError, UnavailableError
from cinelet.jobs import Failure, Lease, LeaseLostError, Store
from cinelet.media import poster, spritesheet, write_clip
from cinelet.storage import BlobStore, blob_key
from cinelet.video import Video
from cinelet.worker.frame_stream import AbandonedError, FrameStream
from cinelet.worker.run import STAGES
from cinelet.worker.tally import Tally

T = TypeVar("T")
log = structlog.get_logger("cinelet.worker")

MAX_TRIES = 6
"""With doubling pauses from a quarter of a second: about sixteen seconds, well inside a lease that goes on beating."""
FIRST_PAUSE_S = 0.25


class Delivery:
    """Publishes finished clips. `worker` names who made them."""

    def __init__(self, store: Store, blobs: BlobStore, worker: str, tally: Tally, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._store = store
        self._blobs = blobs
        self._worker = worker
        self._tally = tally
        self._sleep = sleep

    def deliver(self, lease: Lease, stream: FrameStream) -> str:
        """Publish what comes through `stream` as the job's result; returns the job's new state, or `lost` where the lease
        was gone or the worker let go of the clip."""
        try:
            with tempfile.TemporaryDirectory(prefix="cinelet-") as folder:
                clip = stream.encode(Path(folder) / "video.mp4", lease.job.plan, _labels(lease))
                video = stream.video()
                if not np.isfinite(video.latents).all():
                    return self._fail(
                        lease, "numerical_failure", "the model's numbers overflowed; try another seed or fewer steps", may_retry=False
                    )
                result, seconds = self._upload(lease, video, clip, stream.closed_at)
            report: dict[str, Any] = {
                "stage_durations_s": {**{STAGES[stage]: s for stage, s in video.stage_durations_s.items()}, **seconds},
                "inference_time_s": sum(video.stage_durations_s.values()),
                "peak_memory_bytes": video.peak_memory_bytes,
                "decode": video.decode,
                "precision": video.precision,
                "placement": video.placement,
                "worker": self._worker,
            }
            spent_s = sum(video.stage_durations_s.values())
            self._patiently(lambda: self._store.leases.succeed(lease, result, report, spent_s))
            self._tally.finished(lease.job, video, report["stage_durations_s"], self._store.database.clock())
            self._tidy(lease)
        except (AbandonedError, LeaseLostError):
            return "lost"  # the next attempt may go on from a checkpoint among these files; the sweeper knows which are dead
        except UnavailableError as error:
            return self._fail(lease, "storage_unavailable", error.message, may_retry=True)
        except CineletError as error:
            return self._fail(lease, error.code, error.message, may_retry=error.is_retryable)
        except Exception:
            log.exception("delivery failed", job_id=lease.job.id)
            return self._fail(lease, InternalError.code, "the clip could not be stored; this is a fault of the service", may_retry=True)
        return "succeeded"

    def deliver_draft(self, lease: Lease, video: Video) -> str:
        """Show `video` until the clip is there; its loss matters little."""
        try:
            with tempfile.TemporaryDirectory(prefix="cinelet-") as folder:
                clip = write_clip(video.frames, Path(folder) / "draft.mp4", video.fps, metadata=_labels(lease))
                artifact = self._blobs.put_file(blob_key(lease.job.id, lease.token, clip.name), clip, "video/mp4")
            self._store.leases.draft(lease, artifact.to_json())
        except LeaseLostError:
            return "lost"
        except CineletError as error:
            log.info("draft not kept", job_id=lease.job.id, reason=error.message)
        except Exception:
            log.exception("draft failed", job_id=lease.job.id)
        return "draft"

    def _upload(self, lease: Lease, video: Video, clip: Path, began: float) -> tuple[dict[str, object], dict[str, float]]:
        """The clip and its pictures as stored, and what took how long since `began`."""
        files = {
            "video": (clip, "video/mp4"),
            "thumbnail": (poster(video.frames, clip.with_name("thumbnail.webp")), "image/webp"),
            "spritesheet": (spritesheet(video.frames, clip.with_name("spritesheet.webp")), "image/webp"),
        }
        encoded = time.perf_counter()
        result: dict[str, object] = {}
        for variant, (path, kind) in files.items():
            key = blob_key(lease.job.id, lease.token, path.name)
            result[variant] = self._patiently(lambda key=key, path=path, kind=kind: self._blobs.put_file(key, path, kind)).to_json()  # type: ignore[misc]
        return result, {"video_encode": encoded - began, "upload": time.perf_counter() - encoded}

    def _tidy(self, lease: Lease) -> None:
        """What only a running job needs goes; if the store is down now, the sweeper or the job's end sees to it."""
        with suppress(CineletError):
            for name in ("checkpoint.safetensors", "preview.webp"):
                self._blobs.delete(blob_key(lease.job.id, lease.token, name))

    def _patiently(self, action: Callable[[], T]) -> T:
        """Try again while something outside is down."""
        for tries in range(MAX_TRIES):
            try:
                return action()
            except UnavailableError:
                if tries == MAX_TRIES - 1:
                    raise
                self._sleep(FIRST_PAUSE_S * 2**tries * random.uniform(0.5, 1.5))
        raise AssertionError("the loop returns or raises")

    def _fail(self, lease: Lease, code: str, message: str, *, may_retry: bool) -> str:
        try:
            state = self._store.leases.fail(lease, Failure(code=code, message=message), may_retry=may_retry)
        except (LeaseLostError, UnavailableError):
            return "lost"  # or it will be: the rescuer takes the job back when its lease ends
        if state == "failed":
            self._tally.failed(code)
        return state


def _labels(lease: Lease) -> dict[str, str]:
    return {"title": lease.job.plan.prompt, "comment": f"AI-generated by cinelet, {lease.job.id}"}
