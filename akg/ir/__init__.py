"""Programs: expressions, loop IR, and the frontends that make it."""
