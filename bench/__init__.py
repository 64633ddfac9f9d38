"""Benchmarks: run each file, or `make bench`."""
