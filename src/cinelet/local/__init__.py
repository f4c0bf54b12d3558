"""Everything in one process, or on a service where a url is given: behind `cinelet.generate` and the CLI.

    import cinelet
    cinelet.generate("A red balloon rising at sunset").save("balloon.mp4")

torch and the codec are loaded with the first work that needs them, so that the remote half runs on the base install; that is why
some imports stand inside functions.
"""

from cinelet.local.async_generator import AsyncTextToVideoGenerator
from cinelet.local.engines import device_named, engine_spec, open_adapters
from cinelet.local.generator import Start, TextToVideoGenerator, generate
from cinelet.local.result import MediaCodec, Result

__all__ = [
    "AsyncTextToVideoGenerator",
    "MediaCodec",
    "Result",
    "Start",
    "TextToVideoGenerator",
    "device_named",
    "engine_spec",
    "generate",
    "open_adapters",
]
