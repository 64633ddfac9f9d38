"""Rewrites of a kernel before it is modelled: softmax products in tiles, shared sums, alternating steps, expansion."""
