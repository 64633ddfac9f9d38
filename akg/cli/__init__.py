"""The command line: ``akg demo | compile | run | explain | cache | doctor | config``."""

from akg.cli.main import main

__all__ = ["main"]
