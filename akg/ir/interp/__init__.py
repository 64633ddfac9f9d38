"""The reference interpreter of loop IR: the oracle that every backend is compared with.

A kernel becomes Python source, one line for a statement, that works on NumPy scalars one element at a time: simple
and checked before fast. Every access is checked against the bounds of its array. Loops whose iterations may run in
any order can be run backwards or shuffled, which exposes most wrong claims of independence.
"""

from akg.ir.interp.run import Order, interpret, python_source

__all__ = ["Order", "interpret", "python_source"]
