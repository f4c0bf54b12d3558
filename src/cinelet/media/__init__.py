"""Frames to files and back: clips, posters, contact sheets, start images.

Nothing here knows of models, jobs or HTTP. PyAV is loaded with the first name that needs it: a gateway reads pictures and no clips.
"""

from typing import TYPE_CHECKING, Any

from cinelet.media.contact_sheet import contact_sheet
from cinelet.media.poster import poster
from cinelet.media.spritesheet import animation, spritesheet
from cinelet.media.start_image import StartImage

if TYPE_CHECKING:
    from cinelet.media.muxer import Muxer, check_output, write_clip
    from cinelet.media.reader import read_clip

__all__ = ["Muxer", "StartImage", "animation", "check_output", "contact_sheet", "poster", "read_clip", "spritesheet", "write_clip"]


def __getattr__(name: str) -> Any:
    """Names that need the codec are looked up on first use."""
    if name in ("Muxer", "check_output", "write_clip"):
        from cinelet.media import muxer  # noqa: PLC0415 - loads PyAV

        return getattr(muxer, name)
    if name == "read_clip":
        from cinelet.media.reader import read_clip  # noqa: PLC0415 - loads PyAV

        return read_clip
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
