"""Sample scripts with their float64 references and inputs: `SAMPLES`, by name."""

from __future__ import annotations

from tests.programs.samples import SAMPLES, Sample

__all__ = ["SAMPLES", "Sample"]
