"""How the tuned model behaves: slices of errors, explained answers, counterfactual swaps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from zhiling.pipeline.store import read_json
from zhiling.workflow.report.model_facts import (
    BehaviourFacts,
    ExplainedAnswer,
    Interval,
    ShadedPiece,
    SliceFacts,
    SwapFacts,
)

SHADES = 4
"""Steps of the background behind a word, from hardly to most."""
MOST_NGRAMS = 10


def behaviour_facts(path: Path) -> BehaviourFacts | None:
    """What the files of the evaluation say; None where there is none of them.

    Raises:
        DamagedFile: one of them is there and cannot be read.
    """
    read = {
        name: _read(path / "evaluation" / f"{name}.json")
        for name in ("slices", "explanations", "counterfactual")
    }
    if all(each is None for each in read.values()):
        return None
    slices, explanations, swaps = (each or {} for each in read.values())
    skipped: Mapping[str, int] = swaps.get("skipped") or {}
    return BehaviourFacts(
        looked=read["slices"] is not None, rows=slices.get("n", 0), of=slices.get("of", 0),
        rate=slices.get("rate", 0.0), tried=slices.get("tried", 0),
        slices=tuple(map(_slice, slices.get("slices") or ())),
        answers=tuple(map(_answer, explanations.get("rows") or ())),
        train_rows=explanations.get("train_rows", 0), looked_through=explanations.get("looked_through", 0),
        swapped=read["counterfactual"] is not None, refused=swaps.get("refused") or "",
        swaps=tuple(map(_swap, swaps.get("effects") or ())),
        ambiguous=sum(count for name, count in skipped.items() if name.endswith("ambiguous")),
    )  # fmt: skip


def _read(file: Path) -> Mapping[str, Any] | None:
    return read_json(file) if file.is_file() else None


def _interval(raw: Mapping[str, Any], *, lower_is_better: bool = False) -> Interval:
    return Interval(raw["mean"], raw["low"], raw["high"], lower_is_better)


def _slice(raw: Mapping[str, Any]) -> SliceFacts:
    return SliceFacts(
        rows=raw["rows"], rate=_interval(raw["rate"]), p=raw["p"], terms=tuple(raw["terms"]),
        mistakes=tuple((each["truth"], each["answer"], each["rows"]) for each in raw["mistakes"]),
        examples=tuple(raw["examples"]),
    )  # fmt: skip


def _answer(raw: Mapping[str, Any]) -> ExplainedAnswer:
    told: Mapping[str, Any] = raw.get("attribution") or {}
    words: Sequence[Mapping[str, Any]] = told.get("words") or ()
    ngrams: Sequence[Mapping[str, Any]] = (told.get("ngrams") or ())[:MOST_NGRAMS]
    return ExplainedAnswer(
        text=raw["text"], language=raw["language"], truth=raw["truth"], answer=raw["answer"],
        right=raw["right"], score=raw["score"], note=raw.get("note") or "",
        explained=told.get("explained", ""),
        figures={
            name: told[name] for name in ("score", "baseline", "ngrams_total", "gap") if name in told
        },
        words=_shaded((word["text"], word["score"], _gap(words, place)) for place, word in enumerate(words)),
        ngrams=_shaded(("/".join(each["texts"]), each["score"], "") for each in ngrams),
        cut=bool(told.get("cut")), nearest=tuple(raw.get("nearest") or ()),
    )  # fmt: skip


def _gap(words: Sequence[Mapping[str, Any]], place: int) -> str:
    """What stands between a word and the one before it."""
    if not place:
        return ""
    before, word = words[place - 1], words[place]
    if before["segment"] != word["segment"]:
        return "\n"
    return " " if word["start"] > before["end"] else ""


def _shaded(pieces: Iterable[tuple[str, float, str]]) -> tuple[ShadedPiece, ...]:
    """Pieces with the shade of their score: from −SHADES (against) to SHADES (for), beside the strongest."""
    told = list(pieces)
    most = max((abs(score) for _, score, _ in told), default=0.0)
    return tuple(
        ShadedPiece(text, score, round(SHADES * score / most) if most else 0, gap)
        for text, score, gap in told
    )


def _swap(raw: Mapping[str, Any]) -> SwapFacts:
    added = raw.get("added")
    return SwapFacts(
        kind=raw["kind"], language=raw["language"], on=raw["on"], originals=raw["originals"],
        pairs=raw["pairs"], flips={arm: _interval(each) for arm, each in raw["flips"].items()},
        shift={arm: _interval(each) for arm, each in raw["shift"].items()},
        added=_interval(added, lower_is_better=True) if added else None, examples=tuple(raw["examples"]),
    )  # fmt: skip
