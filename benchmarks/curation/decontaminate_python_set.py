"""Decontamination with a Python set of n-grams: the usual script, at its best.

    python decontaminate_python_set.py CORPUS EVALUATION OUT HITS.npy

The same tokens, 13 of them to a run (20 where the evaluation text is Chinese). The set holds hashes of the
joined tokens; a row is left at its first hit.
"""

from __future__ import annotations

import json
import re
import sys
import unicodedata
from pathlib import Path

import numpy as np

SYMBOLS = r"\U0001f000-\U0001faff"
CHARACTERS = r"\u3005\u3007\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff"
TOKEN = re.compile(rf"[{CHARACTERS}{SYMBOLS}]|[^\W_{CHARACTERS}]+")
CHARACTER = re.compile(rf"[{CHARACTERS}]")


def tokens(text: str) -> list[str]:
    """Words, and characters of Chinese."""
    return TOKEN.findall(unicodedata.normalize("NFKC", text).lower())


def runs(words: list[str], size: int) -> list[str]:
    """All runs of so many tokens; a shorter text is one run."""
    return [" ".join(words[start : start + size]) for start in range(max(len(words) - size, 0) + 1)]


def main(corpus: str, evaluation: str, out: str, hits: str) -> None:
    """The whole job: read, cut, look up, write."""
    known: dict[int, set[str]] = {13: set(), 20: set()}
    with Path(evaluation).open(encoding="utf-8") as lines:
        for line in lines:
            words = tokens(json.loads(line)["text"])
            size = 20 if 2 * sum(map(bool, map(CHARACTER.match, words))) > len(words) else 13
            known[size].update(runs(words, size))
    found: list[bool] = []
    with Path(corpus).open(encoding="utf-8") as lines, Path(out).open("w", encoding="utf-8") as kept:
        for line in lines:
            row = json.loads(line)
            texts = [tokens(row["instruction"] + "\n" + row["input"]), tokens(row["output"])]
            hit = any(
                not wanted.isdisjoint(runs(words, size)) for words in texts for size, wanted in known.items()
            )
            found.append(hit)
            if not hit:
                kept.write(line)
    np.save(hits, np.array(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
