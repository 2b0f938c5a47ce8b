"""Labelled sets of every task: one reader file a kind of set, found by its fields or named by `kind`."""

from zhiling.sources.labelled.source import Labelled

__all__ = ["Labelled"]
