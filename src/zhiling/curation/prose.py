"""What people say in a text, without what they quote from a machine: code and addresses."""

from __future__ import annotations

import polars as pl

FENCED = r"(?s)(?:```.*?(?:```|\z)|~~~.*?(?:~~~|\z))"
"""Fenced code, up to its closing fence or the end (Polars expression)."""
INLINE = r"`[^`\n]+`"
LINK = r"(?:https?|ftp)://[^\s<>\x{3000}-\x{9fff}\x{ff00}-\x{ffef}]+|(?-u:\b)www\.[\w\-]+\.[\w./?=&%\-]+"


def without_code(text: pl.Series) -> pl.Series:
    """The texts without fenced code."""
    fenced = text.str.contains("```|~~~")
    if not fenced.any():
        return text
    return text.scatter(fenced.arg_true(), text.filter(fenced).str.replace_all(FENCED, "\n"))


def prose(text: pl.Series) -> pl.Series:
    """The texts without code, fenced or inline, and without web addresses."""
    plain = without_code(text)
    quoted = plain.str.contains("`|://|www\\.")
    if not quoted.any():
        return plain
    inner = plain.filter(quoted).str.replace_all(INLINE, " ").str.replace_all(LINK, " ")
    return plain.scatter(quoted.arg_true(), inner)
