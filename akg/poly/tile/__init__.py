"""Tiles, register tiles, lanes and threads: how a schedule is fitted to a machine, and what that costs."""
