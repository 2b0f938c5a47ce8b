"""curation.grounding: replies that their document bears out against replies that it does not.

    python benchmarks/curation/grounding.py

Right: answers of xquad (en) and cmrc2018 (zh), summaries of dialogsum (en). Wrong: the same reply held
against another document of the set, and the reply with its first number changed. Rows of even number fitted
the weights of the step (printed); those of odd number are judged here.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent)]

from record import record, row  # noqa: E402

from benchmarks.sources.sets import DATA, sources  # noqa: E402
from zhiling.curation.grounding import BIAS, WEIGHTS  # noqa: E402
from zhiling.curation.support import support  # noqa: E402

SETS = ("xquad", "cmrc2018", "dialogsum")
ROWS = 900
GOAL = 0.95
CONFIDENCE = 0.8
Case = tuple[int, bool, str, tuple[float, ...]]
Triple = tuple[str, str, str]


def main() -> None:
    """Measures and records every figure."""
    if not DATA.exists():
        raise SystemExit(f"{DATA} is not here: nothing can be measured")
    made = {name: list(cases(triples(name))) for name in SETS}
    refitted([case for found in made.values() for case in found if case[0] % 2 == 0])
    results: list[dict[str, Any]] = []
    for name, found in made.items():
        judged = [case for case in found if case[0] % 2]
        results += [figure(name, kind, judged) for kind in ("document", "number")]
        results.append(abstention(name, judged))
    print(record("curation", results), file=sys.stderr)


def triples(name: str) -> list[Triple]:
    """Document, question and reply of a set's rows."""
    source = sources(name)[0]
    files = sorted(Path(path) for path in source.paths())
    rows = pl.concat([batch.rows for batch in source.read(files, DATA)]).head(ROWS)
    found: list[Triple] = []
    for turns, target in zip(rows["messages"].to_list(), rows["target"].to_list(), strict=True):
        truth = json.loads(target) if target else {}
        if "answers" not in truth:
            found.append((turns[0]["text"], "", turns[-1]["text"]))
        elif truth["answers"]:
            found.append((turns[0]["text"], turns[1]["text"], truth["answers"][0]["text"]))
    return found


def cases(rows: list[Triple]) -> Iterator[Case]:
    """Number of the row, whether it is right, what was done, and the parts."""
    draws = np.random.default_rng(0)
    for number, (document, question, reply) in enumerate(rows):
        yield number, True, "", support(document, question, reply)
        other = rows[int(draws.integers(len(rows)))][0]
        if other != document:
            yield number, False, "document", support(other, question, reply)
        changed = re.sub(r"\d+", lambda found: str(int(found[0]) + int(draws.integers(1, 9))), reply, count=1)
        if changed != reply:
            yield number, False, "number", support(document, question, changed)


def refitted(learnt: list[Case]) -> None:
    """Prints the weights that the even rows give."""
    fit = LogisticRegression(class_weight="balanced", max_iter=2000)
    fit.fit([case[3] for case in learnt], [case[1] for case in learnt])
    print("weights", fit.coef_.round(2).tolist(), fit.intercept_.round(2).tolist(), file=sys.stderr)


def scores(judged: list[Case]) -> Any:
    """The step's probabilities."""
    return 1 / (1 + np.exp(-(np.array([case[3] for case in judged]) @ np.array(WEIGHTS) + BIAS)))


def figure(name: str, kind: str, judged: list[Case]) -> dict[str, Any]:
    """AUROC of right replies against one kind of wrong ones."""
    seen = [case for case in judged if case[2] in ("", kind)]
    truth = [case[1] for case in seen]
    value = float(roc_auc_score(truth, scores(seen)))
    baseline = float(roc_auc_score(truth, [case[3][0] for case in seen]))
    what = f"`grounding`: AUROC against a wrong {kind}, {name}"
    return row(
        f"curation.grounding.{name}.{kind}", what, round(value, 3), GOAL, "higher", n=len(seen), unit="AUROC",
        data=name, beside={"n-gram precision": round(baseline, 3)},
        note="a changed number may stand elsewhere in the document",
    )  # fmt: skip


def abstention(name: str, judged: list[Case]) -> dict[str, Any]:
    """Share of wrong verdicts among those given with a probability of 0.8 or more."""
    score, truth = scores(judged), np.array([case[1] for case in judged])
    sure = np.maximum(score, 1 - score) >= CONFIDENCE
    wrong = float(((score >= 0.5) != truth)[sure].mean())
    return row(
        f"curation.grounding.{name}.verdicts", f"`grounding`: wrong verdicts at confidence 0.8, {name}",
        round(wrong, 4), 1 - CONFIDENCE, "lower", n=int(sure.sum()), unit="share", data=name,
        beside={"unsure": round(float(1 - sure.mean()), 3)},
    )  # fmt: skip


if __name__ == "__main__":
    main()
