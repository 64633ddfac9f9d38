"""Operator graphs to clusters, a kernel each."""
