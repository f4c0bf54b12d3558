"""The command line: results on stdout, progress on stderr, exit codes 0 done, 1 our fault, 2 the caller's, 130 interrupted."""

from cinelet.cli.app import main

__all__ = ["main"]
