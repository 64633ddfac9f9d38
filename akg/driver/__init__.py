"""The pipeline, and what `build` does."""
