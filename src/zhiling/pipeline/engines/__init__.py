"""Engines: where the batches of a step are computed. `local` is Polars in this process."""
