"""Blobs: clips, pictures and checkpoints, in a folder or a bucket, behind one port (`BlobStore`)."""

from cinelet.storage.artifact import Artifact
from cinelet.storage.blob_info import BlobInfo
from cinelet.storage.key import BlobKey, blob_key, parse_key
from cinelet.storage.open import open_blobs
from cinelet.storage.port import CHUNK_BYTES, MAX_URL_LIFETIME_S, BlobStore
from cinelet.storage.shelf import Shelf, open_shelf
from cinelet.storage.signature import Signer
from cinelet.storage.sweeper import orphans, sweep

__all__ = [
    "CHUNK_BYTES",
    "MAX_URL_LIFETIME_S",
    "Artifact",
    "BlobInfo",
    "BlobKey",
    "BlobStore",
    "Shelf",
    "Signer",
    "blob_key",
    "open_blobs",
    "open_shelf",
    "orphans",
    "parse_key",
    "sweep",
]
