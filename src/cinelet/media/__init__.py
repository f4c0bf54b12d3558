"""Frames to files and back: clips, posters, contact sheets.

Nothing here knows of models, jobs or HTTP. Importing this package loads PyAV, so the rest of cinelet imports it only
where a file is about to be written.
"""

from cinelet.media.contact_sheet import contact_sheet
from cinelet.media.muxer import Muxer, check_output, write_clip
from cinelet.media.poster import poster
from cinelet.media.reader import read_clip

__all__ = ["Muxer", "check_output", "contact_sheet", "poster", "read_clip", "write_clip"]
