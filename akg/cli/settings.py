"""`akg cache` and `akg config`."""

from __future__ import annotations

import argparse
from datetime import datetime

from akg.base.cache import DiskCache
from akg.base.config import config
from akg.cli.text import table


def cache(options: argparse.Namespace) -> int:
    """List, verify or clear the kernel cache, or print where it is; 1 if `verify` finds a damaged entry."""
    store = DiskCache(config.cache_dir, "rw")
    return _CACHE[options.action](store)


def _list(store: DiskCache) -> int:
    entries = store.entries()
    rows = [
        [e.key[:16], f"{e.size_bytes / 1024:.1f}", f"{datetime.fromtimestamp(e.modified_s):%Y-%m-%d %H:%M:%S}"]
        for e in sorted(entries, key=lambda e: e.modified_s)
    ]
    if rows:
        print(table(rows, ("entry", "KiB", "written")))
    total = sum(e.size_bytes for e in entries)
    print(f"{len(entries)} kernels, {total / 2**20:.1f} MiB in {store.root} (AKG_CACHE={config.cache})")
    return 0


def _verify(store: DiskCache) -> int:
    bad = store.verify()
    for key, reason in bad.items():
        print(f"{key[:16]}: {reason}")
    print(f"{len(store.entries())} kernels, {len(bad)} damaged" + ("; they are built again when needed" if bad else ""))
    return 1 if bad else 0


def _clear(store: DiskCache) -> int:
    print(f"{store.clear()} kernels removed from {store.root}")
    return 0


def _path(store: DiskCache) -> int:
    print(store.root)
    return 0


_CACHE = {"ls": _list, "verify": _verify, "clear": _clear, "path": _path}


def show_config(options: argparse.Namespace) -> int:
    """Print every option with its value, where that comes from, its variable and its help."""
    rows = [[s.name, "''" if s.value == "" else str(s.value), s.origin, s.env, s.help] for s in config.table()]
    print(table(rows, ("option", "value", "from", "variable", "meaning")))
    return 0
