"""Kernels: from text to machine code, calls, measurement."""
