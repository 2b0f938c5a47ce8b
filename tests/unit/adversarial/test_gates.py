"""A gate of hard truth: what it rejects no score brings back, and no discriminator learns from it."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar

import polars as pl
import pytest

pytest.importorskip("sklearn")

from tests.unit.adversarial.test_loop import KNOWN, LINES, accepted, counts, run
from zhiling.pipeline.step import Context, Decide, verdicts
from zhiling.rows.target import Labels, spelled
from zhiling.verification.agreement import agreement
from zhiling.verification.check import Check, Problem, Row
from zhiling.workflow.run import Run

HERE = __name__
TRUTH = dict(LINES) | dict(KNOWN)
GENERATORS = [{"use": "retrieve"}, {"use": "tests.unit.adversarial.test_loop:Wrong"}]
LAX = {"patience": 9, "accepted_least": 0, "accepted_most": 1, "bad_probes": 1, "leak": 1}
FORBIDDEN = ("please", "since monday", "请帮忙", "谢谢")


class _Rule(StrEnum):
    FORBIDDEN = "forbidden"
    OTHER_LABEL = "other_label"


class Policy(Check):
    """Words that no row may hold: a rule of the house."""

    name = "policy"
    Reason: ClassVar[type[StrEnum]] = _Rule

    def problems(self, row: Row, context: Context) -> Iterator[Problem]:
        text = row["messages"][0]["text"]
        yield from (Problem(_Rule.FORBIDDEN, word) for word in FORBIDDEN if word in text)


class SecondTagger(Decide):
    """Rejects rows whose label another tagger does not give; it knows all of them."""

    name = "second_tagger"
    Reason: ClassVar[type[StrEnum]] = _Rule

    def reads(self) -> tuple[str, ...]:
        return ("messages", "target")

    def decide(self, rows: pl.DataFrame, context: Context) -> pl.DataFrame:
        told = agreement(rows, lambda texts: [spelled(Labels(labels=[TRUTH[text]])) for text in texts])
        return verdicts(told["score"] < 1, _Rule.OTHER_LABEL, score=told["score"])


def looped(root: Path, gates: list[dict[str, Any]]) -> Run:
    return run(root, GENERATORS, rounds=2, gates=gates, guards=LAX, per_round=300)


def matches(done: Run) -> pl.DataFrame:
    """`text` and `match` of all rows that `accept` saw."""
    found = [done.folder.read_frame(part.measures) for stage in done.folder.manifest.stages
             if stage.id == "gan_accept" for part in stage.parts if part.measures]  # fmt: skip
    told = pl.concat(found)
    rows = done.table().read(["messages"], told["n"].to_numpy().astype("int64"))
    return rows.join(told, on="n").select(
        pl.col("messages").list.first().struct.field("text").alias("text"), "gan_accept.match"
    )


def _forbidden(texts: pl.Series) -> pl.Series:
    return texts.str.contains_any(list(FORBIDDEN))


def test_what_a_gate_rejects_is_never_accepted_however_sure_the_match(tmp_path: Path) -> None:
    without = looped(tmp_path / "without", [])
    sure = matches(without).filter(_forbidden(pl.Series("text", matches(without)["text"])))
    assert sure.filter(pl.col("gan_accept.match") > 0.9).height > 10
    assert _forbidden(accepted(without)["text"]).sum() > 10
    done = looped(tmp_path / "with", [{"id": "verify", "use": f"{HERE}:Policy"}])
    assert counts(done, "verify")["forbidden"] > 10
    assert not _forbidden(accepted(done)["text"]).any()
    assert not _forbidden(matches(done)["text"]).any()
    assert {text.isascii() for text in accepted(done)["text"].to_list()} == {True, False}


def test_behind_a_tagger_that_knows_every_label_no_wrong_one_is_accepted(tmp_path: Path) -> None:
    done = looped(tmp_path, [{"id": "verify", "use": f"{HERE}:SecondTagger"}])
    rows = accepted(done)
    assert rows.height > 50
    assert all(TRUTH[text] == label for text, label in rows.select("text", "label").iter_rows())
    assert counts(done, "verify")["other_label"] > 50
