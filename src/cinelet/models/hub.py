"""A model hub: which files a repository holds at a commit, and their bytes. Nothing of folders, or of what is done with the files.

Speaks with the Hugging Face hub or a mirror of it (`HF_ENDPOINT`, `HF_TOKEN`) through its own client library, which is loaded with the
first `Hub`. What the library raises ends here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import quote

from cinelet.errors import CineletError, NotFoundError, PermissionDeniedError, UnavailableError, show

TIMEOUT_S = 30.0
"""How long the hub may be silent."""


@dataclass(frozen=True, kw_only=True)
class HubFile:
    """One file as the hub declares it: its `sha256`, or for a small one that is kept in git the `git_oid` (SHA-1 of "blob SIZE\\0…")."""

    path: str
    size_bytes: int
    sha256: str = ""
    git_oid: str = ""


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A repository at one commit."""

    repository: str
    commit: str
    files: tuple[HubFile, ...]


class Hub:
    """The hub at `endpoint`; None: where `HF_ENDPOINT` says, or huggingface.co. Raises `ModuleNotFoundError` without its library."""

    def __init__(self, endpoint: str | None = None) -> None:
        from huggingface_hub import HfApi  # noqa: PLC0415 - loaded with the first download

        self._api = HfApi(endpoint=endpoint)

    def snapshot(self, repository: str, revision: str) -> Snapshot:
        """What `repository` holds at `revision`, a commit or a branch. Raises what `open` raises."""
        with self._explained(repository):
            try:
                info = self._api.model_info(repository, revision=revision, files_metadata=True, timeout=TIMEOUT_S)
            except (ValueError, KeyError, TypeError) as error:
                raise UnavailableError(f"hub: {self._api.endpoint} does not answer as a model hub", detail=repr(error)) from error
        files = [
            HubFile(
                path=file.rfilename,
                size_bytes=file.size or 0,
                sha256=file.lfs.sha256 if file.lfs else "",
                git_oid=file.blob_id or "",
            )
            for file in info.siblings or ()
        ]
        if info.sha is None:
            raise UnavailableError(f"hub: {self._api.endpoint} names no commit of {repository}")
        return Snapshot(repository=repository, commit=info.sha, files=tuple(files))

    @contextmanager
    def open(self, snapshot: Snapshot, path: str, offset: int = 0) -> Iterator[tuple[int, Iterator[bytes]]]:
        """A file's bytes and where they begin: at `offset`, or at 0 where the hub cannot begin in the middle.

        Raises `NotFoundError`, `PermissionDeniedError`, and `UnavailableError` for what may go better later; the
        bytes may end early with one, too.
        """
        from huggingface_hub import get_session  # noqa: PLC0415
        from huggingface_hub.utils import build_hf_headers, hf_raise_for_status  # type: ignore[attr-defined]  # noqa: PLC0415

        url = f"{self._api.endpoint}/{snapshot.repository}/resolve/{snapshot.commit}/{quote(path)}"
        headers = {**build_hf_headers(), "Accept-Encoding": "identity"} | ({"Range": f"bytes={offset}-"} if offset else {})
        with (
            self._explained(snapshot.repository),
            get_session().stream("GET", url, headers=headers, follow_redirects=True, timeout=TIMEOUT_S) as response,
        ):
            if response.is_error:
                response.read()
                hf_raise_for_status(response)
            yield (offset if response.status_code == 206 else 0), response.iter_bytes()

    @contextmanager
    def _explained(self, repository: str) -> Iterator[None]:
        """Translate the library's errors into ours."""
        import httpx2  # noqa: PLC0415 - the library's own transport
        from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled  # noqa: PLC0415

        try:
            yield
        except HfHubHTTPError as error:
            raise self._explain(repository, error) from error
        except OfflineModeIsEnabled as error:
            raise UnavailableError("hub: HF_HUB_OFFLINE forbids downloads; unset it", detail=repr(error)) from error
        except httpx2.HTTPError as error:
            reason = "no connection" if isinstance(error, httpx2.ConnectError) else "the connection broke or fell silent"
            advice = "check the network, or name a mirror in HF_ENDPOINT"
            raise UnavailableError(f"hub: {self._api.endpoint} cannot be reached ({reason}); {advice}", detail=repr(error)) from error

    def _explain(self, repository: str, error: Exception) -> CineletError:
        from huggingface_hub.errors import (  # noqa: PLC0415
            GatedRepoError,
            HfHubHTTPError,
            RemoteEntryNotFoundError,
            RepositoryNotFoundError,
            RevisionNotFoundError,
        )

        hub, place = self._api.endpoint, f"{show(repository)} at {self._api.endpoint}"
        status = error.response.status_code if isinstance(error, HfHubHTTPError) else 0
        known: tuple[tuple[bool, type[CineletError], str], ...] = (
            (
                isinstance(error, GatedRepoError),
                PermissionDeniedError,
                f"is gated; accept its terms at {hub}/{repository} and set HF_TOKEN",
            ),
            (isinstance(error, RevisionNotFoundError), NotFoundError, "has no such revision"),
            (
                isinstance(error, RepositoryNotFoundError) or status == 401,
                NotFoundError,
                "does not exist, or is private: then set an HF_TOKEN that may read it",
            ),
            (isinstance(error, RemoteEntryNotFoundError), NotFoundError, "lacks a file that it lists"),
            (status == 403, PermissionDeniedError, "may not be read with this HF_TOKEN"),
            (True, UnavailableError, f"answered {status}; try again later"),
        )
        _, ours, sentence = next(entry for entry in known if entry[0])
        return ours(f"hub: {place} {sentence}", detail=repr(error))
