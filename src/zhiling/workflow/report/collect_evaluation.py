"""The evaluation's scores and the rows that changed; None where the run was not evaluated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from zhiling.errors import ZhilingError
from zhiling.evaluation.tag_report import reports_tags, tag_report
from zhiling.pipeline.store import EVALUATE, read_frame, read_json
from zhiling.workflow.report.model_facts import ChangedRow, EvaluationFacts, Interval, LabelRow, Scores

ARMS = ("before", "control", "after")
_MOST_ROWS = 20
_TEXT_LIMIT = 300


def evaluation_facts(path: Path) -> EvaluationFacts | None:
    """What `evaluation/scores.json` and `evaluation/rows.parquet` say.

    Raises:
        DamagedFile: one of them is there and cannot be read.
    """
    file = path / "evaluation" / "scores.json"
    if not file.is_file():
        return None
    scores = read_json(file)
    rows = _rows(path / "evaluation" / "rows.parquet")
    lower: Sequence[str] = scores.get("lower_is_better") or ()
    languages: Mapping[str, Mapping[str, Any]] = scores.get("per_language") or {}
    return EvaluationFacts(
        n=scores.get("n", 0),
        seeds=tuple(scores.get("seeds") or ()),
        arms=_ordered(_scores(scores.get("arms"), lower)),
        differences=_scores(scores.get("differences"), lower),
        unscored=scores.get("unscored") or {},
        labels=_labels(scores.get("per_label") or {}),
        languages={
            language: (
                each.get("n", 0),
                _ordered(_scores(each.get("arms"), lower)),
                _scores(each.get("differences"), lower),
            )
            for language, each in languages.items()
        },
        changed=scores.get("changed") or _changed(rows),
        rows={kind: _examples(rows, kind) for kind in ("better", "worse")} if rows is not None else {},
        mcnemar=scores.get("mcnemar") or {},
        groups=scores.get("groups"),
        tags=_tags(scores),
    )


def _tags(scores: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
    """The token report of the last arm; empty where scores per label are not of tags."""
    arms: Mapping[str, Any] = scores.get("arms") or {}
    first: Mapping[str, Any] = next(iter(arms.values()), dict[str, Any]())
    metrics = list(first)
    try:
        of_tags = reports_tags(metrics)
    except ZhilingError:  # a metric of a plug-in that is not here
        return ()
    return tag_report(dict(scores), list(arms)[-1]) if of_tags and scores.get("per_label") else ()


def _scores(raw: Mapping[str, Any] | None, lower: Sequence[str] = ()) -> Scores:
    """Arm or pair → metric → interval; a metric without an interval is a point."""
    found: dict[str, dict[str, Interval]] = {}
    for name, metrics in (raw or {}).items():
        for metric, value in metrics.items():
            if not isinstance(value, Mapping):
                continue
            figures: Mapping[str, Any] = value  # pyright: ignore[reportUnknownVariableType]
            if isinstance(figures.get("mean"), int | float):
                mean = float(figures["mean"])
                low, high = (figures.get(end) for end in ("low", "high"))
                found.setdefault(name, {})[metric] = Interval(
                    mean,
                    mean if low is None else float(low),
                    mean if high is None else float(high),
                    metric in lower,
                )
    return found


def _ordered(scores: Scores) -> Scores:
    """Before, control, after, then any other arm."""
    names = [*(arm for arm in ARMS if arm in scores), *(arm for arm in scores if arm not in ARMS)]
    return {name: scores[name] for name in names}


def _labels(raw: Mapping[str, Mapping[str, Any]]) -> tuple[LabelRow, ...]:
    rows = [LabelRow(label, each.get("n", 0), _f1(each.get("arms") or {})) for label, each in raw.items()]
    return tuple(sorted(rows, key=lambda row: (-row.n, row.label)))


def _f1(arms: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    return {arm: float(arms[arm]["f1"]) for arm in ARMS if arm in arms and arms[arm].get("f1") is not None}


def _rows(path: Path) -> pl.DataFrame | None:
    if not path.is_file():
        return None
    frame = read_frame(path, hint=EVALUATE)
    return frame if "change" in frame.columns else None


def _changed(rows: pl.DataFrame | None) -> dict[str, int]:
    if rows is None:
        return {}
    return dict(rows["change"].drop_nulls().value_counts().iter_rows())


def _examples(rows: pl.DataFrame, kind: str) -> tuple[ChangedRow, ...]:
    answers = {arm: name for arm in ARMS if (name := _column(rows, f"words.{arm}", f"predicted.{arm}", arm))}
    true = _column(rows, "words.truth", "truth")
    found: list[ChangedRow] = []
    for row in rows.filter(pl.col("change") == kind).sort("id").head(_MOST_ROWS).iter_rows(named=True):
        text = row.get("text") or ""
        predicted = {arm: row[name] or "" for arm, name in answers.items()}
        cut = max(0, len(text) - _TEXT_LIMIT)
        language, truth = row.get("language") or "", row.get(true or "") or ""
        found.append(ChangedRow(text[:_TEXT_LIMIT], cut, language, truth, predicted))
    return tuple(found)


def _column(rows: pl.DataFrame, *names: str) -> str | None:
    """The first of these columns that is there."""
    return next((name for name in names if name in rows.columns), None)
