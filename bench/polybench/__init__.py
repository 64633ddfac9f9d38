"""PolyBench/C 4.2.1: thirty kernels as scripts, their datasets and references, and a runner beside gcc."""
