"""cinelet: one sentence in, a short video out. Importing it loads no torch: the engine comes with the first generation."""

from typing import TYPE_CHECKING, Any

from cinelet.video import Plan, Progress, Video, VideoRequest

if TYPE_CHECKING:
    from cinelet.local import Result, Start, TextToVideoGenerator, generate

__version__ = "0.1.0"
__all__ = ["Plan", "Progress", "Result", "Start", "TextToVideoGenerator", "Video", "VideoRequest", "generate"]


def __getattr__(name: str) -> Any:
    """Names that need the engine are looked up on first use."""
    if name in ("Result", "Start", "TextToVideoGenerator", "generate"):
        from cinelet import local  # noqa: PLC0415 - this is what keeps `import cinelet` light

        return getattr(local, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
