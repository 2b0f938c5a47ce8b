"""The entities of curation.6: sentences of CoNLL 2003 and CLUENER in which one entity is wrong.

3,000 sentences of each; in 15 % one entity is dropped or has another type. cleanlab reads the out-of-fold
probabilities of the first tagger: the second one is fitted without the sentences that the first doubts, which
is part of the step.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import polars as pl
from labels import OURS, SEEDS, Result, Scores, cleanlab, compared, precision, read
from numpy.typing import NDArray

from zhiling.curation.folds import group_folds
from zhiling.curation.label_errors import LabelErrors
from zhiling.curation.token_errors import tag_probabilities
from zhiling.curation.token_features import token_features
from zhiling.curation.token_tags import tokens_of
from zhiling.pipeline.step import Context

SETS = ("conll2003", "cluener2020")
SENTENCES, WRONG = 3000, 0.15


def entities() -> Iterator[Result]:
    """Average precision of sentences with a wrong entity."""
    for name in SETS:
        rows = read(name).sample(SENTENCES, seed=0)
        runs = [sentences(rows, seed) for seed in SEEDS]
        yield compared(f"curation.6.{name}", f"`label_errors`, `level: sentence`: AP, {name}", runs)


def sentences(rows: pl.DataFrame, seed: int) -> Scores:
    """Average precision by score."""
    planted, wrong = spoiled(rows, np.random.default_rng(seed))
    context = Context(step_id="labels", seed=seed)
    step = LabelErrors(level="sentence")
    found = step.measure(planted, context)
    tokens = tokens_of(planted["messages"], planted["target"])
    names = tokens["given"].unique().sort()
    given = tokens["given"].replace_strict(names, np.arange(len(names)), return_dtype=pl.Int64).to_numpy()
    line = tokens["row"].to_numpy()
    folds = group_folds(planted, step.folds, context)[line]
    first = tag_probabilities(token_features(tokens), given, folds, np.ones(len(given), dtype=bool))
    own = first[np.arange(len(given)), given]
    rest = first.copy()
    rest[np.arange(len(given)), given] = -1
    worst, margin = np.ones(planted.height), np.ones(planted.height)
    np.minimum.at(worst, line, own)
    np.minimum.at(margin, line, own - rest.max(axis=1))
    peer = np.ones(planted.height)
    peer[np.unique(line)] = cleanlab(probabilities=first, given=given, row=line)["self_confidence"]
    scores = {
        OURS: found["score"].to_numpy(),
        "self-confidence": worst,
        "margin": margin,
        "cleanlab self_confidence": peer,
    }
    return {name: precision(wrong, score) for name, score in scores.items()}


def spoiled(rows: pl.DataFrame, draws: np.random.Generator) -> tuple[pl.DataFrame, NDArray[np.bool_]]:
    """The rows with one entity dropped or of another type in some sentences, and which these are."""
    targets = [json.loads(text) for text in rows["target"]]
    labels = sorted({span["label"] for target in targets for span in target["spans"]})
    able = [place for place, target in enumerate(targets) if target["spans"]]
    wrong = np.zeros(rows.height, dtype=bool)
    wrong[draws.permutation(able)[: round(WRONG * rows.height)]] = True
    for place in np.flatnonzero(wrong):
        spans = targets[place]["spans"]
        chosen = int(draws.integers(len(spans)))
        if draws.random() < 0.5:
            spans.pop(chosen)
        else:
            others = [label for label in labels if label != spans[chosen]["label"]]
            spans[chosen]["label"] = str(draws.choice(others))
    return rows.with_columns(target=pl.Series([json.dumps(target) for target in targets])), wrong
