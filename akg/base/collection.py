"""Python's garbage collection around builds."""

from __future__ import annotations

import gc
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Generator[None]:
    """No garbage collection inside.

    Of what a build allocates little is garbage, and beside a large program a collection takes 0.2 s. What is alive at
    the end joins the oldest generation at once, as collections would have it, so that the first one after a build
    does not walk all of it. Nested uses count as the outermost.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        if gc.get_freeze_count() == 0:  # else someone's frozen objects would thaw
            gc.freeze()
            gc.unfreeze()
        gc.enable()
