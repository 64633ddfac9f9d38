"""Passes over generated loops: packing, promotion to registers, pipelines of rows, prefetches."""
