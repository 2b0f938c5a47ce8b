"""Texts to vectors: the table of encoders, each imported only when it is used.

A new encoder is one module here, one line of this table and one test.
"""

from __future__ import annotations

ENCODERS: dict[str, str] = {
    "hashing": "zhiling.encoders.hashing:HashingEncoder",
    "joined": "zhiling.encoders.joined:JoinedEncoder",
    "transformer": "zhiling.encoders.transformer:TransformerEncoder",
}

__all__ = ["ENCODERS"]
