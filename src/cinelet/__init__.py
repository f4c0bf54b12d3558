"""cinelet: one sentence in, a short video out. Importing it loads no torch: the engine comes with the first generation here."""

from typing import TYPE_CHECKING, Any

from cinelet.video import Plan, Progress, Video, VideoRequest

if TYPE_CHECKING:
    from cinelet.local import AsyncTextToVideoGenerator, Result, Start, TextToVideoGenerator, generate

__version__ = "0.1.0"
__all__ = ["AsyncTextToVideoGenerator", "Plan", "Progress", "Result", "Start", "TextToVideoGenerator", "Video", "VideoRequest", "generate"]


def __getattr__(name: str) -> Any:
    """Names that need more than the nouns are looked up on first use."""
    if name in ("AsyncTextToVideoGenerator", "Result", "Start", "TextToVideoGenerator", "generate"):
        from cinelet import local  # noqa: PLC0415 - this is what keeps `import cinelet` light

        return getattr(local, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
