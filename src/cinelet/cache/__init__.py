"""Work that need not be done twice: what makes two clips the same clip."""

from cinelet.cache.digest import result_digest

__all__ = ["result_digest"]
