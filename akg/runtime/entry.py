from __future__ import annotations
def make(signature, address, careful, keep): return None
