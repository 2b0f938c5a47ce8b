"""The step `gan_bert`: labels for utterances of two languages and how surely; what cannot be done is said."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")

from tests.desk_lines import PARTS, desk
from zhiling.adversarial.generators.feature_gan import FeatureGan
from zhiling.adversarial.generators.gan_bert import GanBert
from zhiling.encoders.hashing import HashingEncoder
from zhiling.encoders.semi_supervised.seeds import Seeds, unit
from zhiling.errors import MissingExtra, StepFailed, UsageError
from zhiling.pipeline.apply import apply
from zhiling.pipeline.fingerprint import row_keys
from zhiling.pipeline.step import Context
from zhiling.rows.conversation import dialogue
from zhiling.rows.schema import conform
from zhiling.workflow.recipe import Recipe

KNOWN, OTHERS = desk(4, 12)
TRUTH = dict(OTHERS)
Given = dict[str, tuple[str, float, list[str]]]
"""Text → label, confidence, parents."""

SMALL: dict[str, Any] = {"steps": 40, "hidden": 32, "learning_rate": 3e-3}


def encoder() -> HashingEncoder:
    return HashingEncoder(buckets=256, longest=3)


def frame(known: Iterable[tuple[str, str]], lines: Sequence[str]) -> pl.DataFrame:
    told = [
        (text, "classification", json.dumps({"labels": [label] if label else []})) for text, label in known
    ]
    told += [(text, "utterance", None) for text in lines]
    texts, tasks, targets = zip(*told, strict=True)
    rows = pl.DataFrame(
        {
            "messages": dialogue({"user": pl.Series(texts, dtype=pl.String)}),
            "task": tasks, "target": pl.Series(targets, dtype=pl.String),
            "id": [f"{number:032x}" for number in range(len(told))],
        }
    )  # fmt: skip
    own = conform(rows)
    return own.with_columns(
        row_keys(own, ["task", "target"]),
        pl.int_range(pl.len(), dtype=pl.UInt32).alias("n"),
        pl.lit(None, dtype=pl.String).alias("group"),
        pl.lit("s").alias("source"),
    )


def context(**more: Any) -> Context:
    return Context(step_id="g", seed=1, load_encoder=encoder, **more)


def made(rows: pl.DataFrame, round: int | None = None, **fields: Any) -> Given:
    """Text → label, confidence, parents."""
    step = GanBert(**SMALL | fields)
    found = step.make(rows.filter(step.applies(rows)), context(round=round)).rows
    return {
        messages[0]["text"]: (json.loads(truth)["labels"][0], json.loads(extra)["confidence"], parents)
        for messages, truth, extra, parents in found.select(
            "messages", "target", "extra", "parents"
        ).iter_rows()
    }


@pytest.fixture(scope="module")
def everything() -> Given:
    return made(frame(KNOWN, list(TRUTH)), confidence=0)


def test_utterances_get_their_labels_and_the_sure_ones_are_right(
    everything: Given,
) -> None:
    assert set(everything) == set(TRUTH)
    right = [label == TRUTH[text] for text, (label, _, _) in everything.items()]
    assert sum(right) > 0.9 * len(right)
    assert {label for label, _, _ in everything.values()} == set(PARTS)
    assert all(0 < confidence < 1 for _, confidence, _ in everything.values())
    told = sum(confidence for _, confidence, _ in everything.values()) / len(right)
    assert told == pytest.approx(sum(right) / len(right), abs=0.1), "calibrated"


def test_it_repeats_and_hangs_on_seed_and_round_alone(
    everything: Given,
) -> None:
    rows = frame(KNOWN, list(TRUTH))
    assert made(rows.reverse(), confidence=0) == everything
    assert made(rows, round=2, confidence=0) != everything


def test_what_is_labelled_is_replaced_and_the_rest_passes_by() -> None:
    rows = frame(KNOWN, [*TRUTH, "", "  "])
    outcome = apply(GanBert(**SMALL, confidence=0.9), rows, context())
    assert outcome.made is not None
    verdicts = dict(outcome.ledger.select("n", "verdict").iter_rows())
    replaced = {n for n, verdict in verdicts.items() if verdict == "replaced"}
    assert sorted(replaced) == sorted(int(id, 16) for id in outcome.made["parents"].explode().to_list())
    assert min(replaced) >= len(KNOWN), "labelled sentences stay"
    assert set(verdicts.values()) == {"replaced", "passed"}
    assert verdicts[rows.height - 1] == verdicts[rows.height - 2] == "passed", "an empty text has no label"


def test_bounds_hold(everything: Given) -> None:
    rows = frame(KNOWN, list(TRUTH))
    few = made(rows, per_label=2, confidence=0)
    assert set(Counter(label for label, _, _ in few.values()).values()) == {2}
    for label in PARTS:
        kept = [
            confidence for text, (own, confidence, _) in everything.items() if own == label and text in few
        ]
        left = [c for text, (own, c, _) in everything.items() if own == label and text not in few]
        assert min(kept) >= max(left, default=0)
    assert set(made(rows, confidence=0.9)) == {text for text, (_, c, _) in everything.items() if c >= 0.9}
    assert made(rows, confidence=1) == {}, "no finite number of sentences proves that"
    assert len(made(rows, sample=10, confidence=0)) == 10


def test_copies_become_one_row_and_known_texts_none() -> None:
    text = OTHERS[0][0]
    rows = frame(KNOWN, [text, KNOWN[0][0], text])
    found = made(rows, confidence=0)
    copies = rows.filter(pl.col("messages").list.first().struct["text"] == text)["id"].to_list()
    assert list(found) == [text]
    assert found[text][2] == sorted(copies)
    assert made(frame(KNOWN, [KNOWN[0][0]]), confidence=0) == {}


def test_labels_that_cannot_be_learnt_are_given_to_nobody() -> None:
    draws = np.random.default_rng(0)
    vectors = unit(draws.normal(size=(340, 16)).astype(np.float32))
    seeds = Seeds(vectors[:40], np.arange(40) % 4, 4)
    found = GanBert(**SMALL).believed(seeds, vectors[40:], context())
    assert found.confidence.max() < 0.7
    assert found.confidence.mean() < 0.4


@pytest.mark.parametrize(
    ("known", "lines", "words"),
    [
        ([], ["refund"], "two labels at least.*none"),
        (KNOWN[:1], ["退款"], "two labels at least.*only"),
        (KNOWN, [], "no row has task 'utterance'"),
        ([("a card", "card"), ("快递", "快递")], ["refund"], "one sentence for each of 2 labels"),
    ],
    ids=["no label", "one label", "no utterance", "none held out"],
)
def test_what_cannot_be_learnt_is_said(known: list[tuple[str, str]], lines: list[str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        made(frame(known, lines) if known or lines else frame([], lines))


def test_losses_that_are_no_numbers_make_no_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*given: object) -> FeatureGan:
        raise StepFailed("the losses are nan", hint="lower `learning_rate`")

    monkeypatch.setattr(FeatureGan, "fit", broken)
    with pytest.raises(StepFailed, match=r"step 'g': the losses are nan\n.*learning_rate"):
        made(frame(KNOWN, list(TRUTH)))


def test_without_torch_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtra, match=r'torch.*\n.*pip install "zhiling\[train\]"'):
        made(frame(KNOWN, list(TRUTH)))


@pytest.mark.parametrize("loop", [False, True], ids=["alone", "in the loop"])
def test_it_stands_alone_and_in_the_loop(tmp_path: Path, loop: bool) -> None:
    known, lines = desk(12, 10)
    for name, rows in (("known", known), ("lines", [(text, None) for text, _ in lines])):
        told = [{"text": text} | ({"label": label} if label else {}) for text, label in rows]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, told)), encoding="utf-8")
    own = {"use": "gan_bert", **SMALL}
    block = {"id": "gan", "use": "adversarial", "generators": [own], "rounds": 1, "per_round": 40}
    recipe = {
        "name": "gan", "seed": 3, "encoder": {"use": "hashing", "buckets": 256},
        "sources": [{"id": each, "use": "labelled", "path": f"{each}.jsonl"} for each in ("known", "lines")],
        "steps": [block if loop else {"id": "gan", **own}],
    }  # fmt: skip
    (tmp_path / "recipe.yaml").write_text(json.dumps(recipe), encoding="utf-8")
    table = Recipe.load(tmp_path / "recipe.yaml").run(until="rows").table()
    found = table.read(["messages", "target"], np.intersect1d(table.kept(), table.made()))
    kept = found.select("messages", "target")
    truth = dict(lines)
    right = [
        json.loads(target)["labels"] == [truth[messages[0]["text"]]] for messages, target in kept.iter_rows()
    ]
    assert len(right) > 10
    assert sum(right) > 0.9 * len(right)
