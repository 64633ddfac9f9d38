"""Backends: loop IR to the text of a program."""
