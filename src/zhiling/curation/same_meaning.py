"""Whether two texts that an encoder finds alike can mean the same: the check behind its nearest neighbours.

An encoder hardly sees a number or a "not". So two texts are held apart, however near their vectors are, if
they hold different numbers, or if one denies what the other says, or if one is far longer.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files

import numpy as np
import polars as pl
from numpy.typing import NDArray

from zhiling.text.normalise import normalise
from zhiling.text.tokens import token_counts

_NUMBER = r"\d+"
_MOST_LENGTH_RATIO = 3.0
_BLOCK_CELLS = 1 << 24


def neighbours(
    queries: NDArray[np.float32], among: NDArray[np.float32], count: int, least: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """The `count` nearest rows of `among` to each query with cosine >= `least`: query, row, cosine.

    Sorted by query, then by falling cosine, ties by row. Memory is bounded beside the result.
    """
    found: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]] = []
    step = max(_BLOCK_CELLS // max(len(among), 1), 1)
    for start in range(0, len(queries), step):
        cosines = queries[start : start + step] @ among.T
        if count < cosines.shape[1]:
            bound = np.partition(cosines, -count, axis=1)[:, -count]
            query, row = np.nonzero(cosines >= np.maximum(bound, least)[:, None])
        else:
            query, row = np.nonzero(cosines >= least)
        cosine = cosines[query, row]
        order = np.lexsort((row, -cosine, query))
        found.append((query[order] + start, row[order], cosine[order]))
    if not found:
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32)
    query, row, cosine = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return query, row, cosine


def compatible(left: pl.Series, right: pl.Series) -> NDArray[np.bool_]:
    """Whether each two texts agree in their numbers and denials and are of similar length, shape (pairs,)."""
    first, second = _facts(left), _facts(right)
    longer = pl.max_horizontal(first["length"], second["length"])
    shorter = pl.min_horizontal(first["length"], second["length"])
    agree = (first["numbers"] == second["numbers"]) & (first["denies"] == second["denies"])
    ratio = pl.select(longer <= _MOST_LENGTH_RATIO * shorter).to_series()
    return (agree & ratio).to_numpy()


def _facts(texts: pl.Series) -> pl.DataFrame:
    """Numbers (sorted, each once), whether the text denies, and how many tokens it has."""
    plain = normalise(texts.fill_null(""))
    return pl.DataFrame({"text": plain, "length": token_counts(plain)}).select(
        "length",
        numbers=pl.col("text").str.extract_all(_NUMBER).list.unique().list.sort().list.join(" "),
        denies=pl.Series(_denials(plain) % 2 == 1),
    )


def _denials(plain: pl.Series) -> NDArray[np.int64]:
    english, chinese, others = _patterns()
    # "能不能" asks and denies nothing; Rust's patterns know no back reference.
    cleared = plain.str.replace_all(others, " ")
    asking = [_asked(text) for text in cleared.to_list()]
    counts = cleared.str.count_matches(english) + cleared.str.count_matches(chinese)
    return counts.to_numpy().astype(np.int64) - np.array(asking, dtype=np.int64)


def _asked(text: str) -> int:
    """How many A不A and A没A stand in a text."""
    return sum(
        text[place] in "不没" and text[place - 1] == text[place + 1] for place in range(1, len(text) - 1)
    )


@cache
def _patterns() -> tuple[str, str, str]:
    listed = tomllib.loads((files("zhiling.curation") / "negation_words.toml").read_text("utf-8"))
    english = rf"\b(?:{'|'.join(listed['en'])})\b"
    return english, "|".join(listed["zh"]), "|".join(listed["zh_except"])
