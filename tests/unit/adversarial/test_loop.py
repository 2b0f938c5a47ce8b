"""The loop in a recipe: what it accepts, what it gives back, what ends it, in two languages."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import polars as pl
import pytest

pytest.importorskip("sklearn")

from tests.desk_lines import desk
from tests.tiny_bert import write_tiny_bert
from zhiling.adversarial.guards.rounds import Round
from zhiling.adversarial.marks import mark
from zhiling.adversarial.propose import Propose
from zhiling.adversarial.trial import Trial, both
from zhiling.encoders.hashing import HashingEncoder
from zhiling.errors import Interrupted, RecipeError, UsageError
from zhiling.pipeline.step import Context, Made, Make
from zhiling.rows.conversation import dialogue, user_text
from zhiling.rows.schema import conform
from zhiling.rows.target import LABEL
from zhiling.workflow.recipe import Recipe
from zhiling.workflow.run import Run

KNOWN, LINES = desk(known=12, lines=50)
TRUTH = dict(LINES)


class _Writer(Make):
    """A generator for tests: what it writes depends on nothing but its round."""

    effect: ClassVar[Any] = "adds"
    scope: ClassVar[Any] = "table"

    def reads(self) -> tuple[str, ...]:
        return ("messages", "task", "target", "group", "extra")

    def made(self, texts: Sequence[str], labels: Sequence[str], rows: pl.DataFrame) -> Made:
        return Made(
            pl.DataFrame(
                {
                    "messages": dialogue({"user": pl.Series(list(texts), dtype=pl.String)}),
                    "target": pl.Series([json.dumps({"labels": [each]}) for each in labels], dtype=pl.String),
                    "parents": pl.Series([[rows["id"][0]]] * len(texts), dtype=pl.List(pl.String)),
                    "sample": pl.Series(range(len(texts)), dtype=pl.Int64),
                }
            )
        )


class Wrong(_Writer):
    """Real lines with a label that is wrong."""

    name = "wrong"

    def make(self, rows: pl.DataFrame, context: Context) -> Made:
        texts, labels = zip(*LINES, strict=True)
        return self.made(texts, [*labels[60:], *labels[:60]], rows)


class Same(_Writer):
    """One sentence, again and again."""

    name = "same"

    def make(self, rows: pl.DataFrame, context: Context) -> Made:
        return self.made(["where is my parcel now"] * 40, ["parcel"] * 40, rows)


class Copies(_Writer):
    """The anchors that it sees, with marks of punctuation."""

    name = "copies"

    def make(self, rows: pl.DataFrame, context: Context) -> Made:
        told = rows.select(user_text(rows["messages"]).alias("text"), LABEL.alias("label"))
        return self.made([text.upper() for text in told["text"].to_list()], told["label"].to_list(), rows)


class Silent(_Writer):
    """Nothing."""

    name = "silent"

    def make(self, rows: pl.DataFrame, context: Context) -> Made:
        return self.made([], [], rows)


def run(root: Path, generators: Sequence[Mapping[str, Any]], known: Sequence[tuple[str, str]] = KNOWN,
        encoder: str = "hashing", **settings: Any) -> Run:  # fmt: skip
    root.mkdir(exist_ok=True)
    rows = [{"text": text, "label": label} for text, label in known]
    (root / "known.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    (root / "lines.jsonl").write_text("\n".join(json.dumps({"text": t}) for t, _ in LINES), encoding="utf-8")
    block = {"id": "gan", "use": "adversarial", "generators": list(generators), "per_round": 120, **settings}
    recipe = {
        "name": "loop", "seed": 3, "encoder": {"use": encoder}, "steps": [block], "max_failed": 1.0,
        "sources": [{"id": each, "use": "labelled", "path": f"{each}.jsonl"} for each in ("known", "lines")],
    }  # fmt: skip
    (root / "recipe.yaml").write_text(json.dumps(recipe), encoding="utf-8")
    return Recipe.load(root / "recipe.yaml").run(until="rows")


def accepted(done: Run) -> pl.DataFrame:
    table = done.table()
    rows = table.read(["id", "messages", "target", "extra"], np.intersect1d(table.kept(), table.made()))
    return rows.select(
        "id",
        user_text(rows["messages"]).alias("text"),
        LABEL.alias("label"),
        mark("generator"),
        mark("round"),
    )


def rounds(done: Run) -> list[Round]:
    files = sorted(done.path.glob("*accept-r*/*/state/round.json"))
    return [Round.from_json(file.read_text("utf-8")) for file in files]


def counts(done: Run, step: str) -> dict[str, int]:
    stages = [stage for stage in done.folder.manifest.stages if stage.id == step]
    found: dict[str, int] = {}
    for stage in stages:
        for reason, number in stage.counts.get("reject", {}).items():
            found[reason] = found.get(reason, 0) + number
    return found


def test_real_lines_with_fitting_labels_are_accepted_in_both_languages(tmp_path: Path) -> None:
    done = run(tmp_path, [{"use": "retrieve"}], rounds=2, guards={"patience": 9})
    rows = accepted(done)
    right = [TRUTH[text] == label for text, label in rows.select("text", "label").iter_rows()]
    assert rows.height > 100
    assert np.mean(right) > 0.9
    assert {text.isascii() for text in rows["text"].to_list()} == {True, False}
    assert set(rows["round"].to_list()) == {"1", "2"}
    told = rounds(done)
    assert [each.number for each in told] == [1, 2]
    assert told[0].probes is not None
    assert told[0].generators["retrieve"].proposed == 120


def test_what_a_generator_is_sure_of_needs_less_evidence_and_what_it_doubts_more(tmp_path: Path) -> None:
    propagation = {"use": "label_propagation", "confidence": 0}
    done = run(tmp_path, [propagation], rounds=1, per_round=500, guards={"patience": 9})
    table = done.table()
    columns = ["extra", "gan_accept.match", "gan_accept.right", "gan_accept.real"]
    rows = table.read(columns, table.made())
    told = rows.select(
        pl.col("extra").str.json_path_match("$.confidence").cast(pl.Float64),
        *(pl.col(name).alias(name.rpartition(".")[2]) for name in columns[1:]),
    )
    sure, doubted = told.filter(pl.col("extra") > 0.6), told.filter(pl.col("extra") < 0.4)
    assert sure.height > 50
    assert (sure["right"] >= sure["match"]).all()
    assert (doubted["right"] <= doubted["match"]).all()
    assert (told["real"] == 1).all()  # the lines of the log are real ones
    kept = table.read(columns, np.intersect1d(table.kept(), table.made()))
    assert (kept["gan_accept.right"] > 0.9).all()
    assert kept.height == told.filter(pl.col("right") > 0.9).height


def test_odds_of_two_judges_are_multiplied() -> None:
    one, other = np.array([0.5, 0.9, 0.0, 1.0, 0.3]), np.array([0.7, 0.9, 1.0, 0.0, 0.7])
    assert both(one, other) == pytest.approx([0.7, 0.81 / 0.82, 0, 0, 0.5])


def test_the_same_seed_gives_the_same_rows(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"rounds": 2, "guards": {"patience": 9}}
    one, two = (run(tmp_path / name, [{"use": "retrieve"}], **settings) for name in ("one", "two"))
    assert accepted(one).equals(accepted(two))
    assert rounds(one) == rounds(two)


def test_exactly_so_many_rows_are_accepted(tmp_path: Path) -> None:
    done = run(tmp_path, [{"use": "retrieve"}], rounds=4, accepted=77, guards={"patience": 9})
    assert accepted(done).height == 77


def test_no_label_gets_more_than_its_quota(tmp_path: Path) -> None:
    done = run(tmp_path, [{"use": "retrieve"}], rounds=3, per_label=9, guards={"patience": 9})
    by_label = accepted(done).group_by("label").len()
    assert by_label["len"].max() == 9
    assert counts(done, "gan_accept")["beyond_quota"] > 0


def test_wrong_labels_are_rejected_and_their_generator_writes_less(tmp_path: Path) -> None:
    wrong = {"use": f"{__name__}:Wrong"}
    few, _ = desk(known=5, lines=0)
    guards = {"patience": 9, "accepted_least": 0, "bad_probes": 1}
    done = run(tmp_path, [{"use": "retrieve"}, wrong], few, rounds=4, guards=guards)
    first, *_, last = rounds(done)
    assert first.generators["wrong"].accepted < 0.1 * first.generators["wrong"].proposed
    assert last.generators["wrong"].proposed < last.generators["retrieve"].proposed


def test_a_generator_whose_rows_are_never_accepted_is_dropped(tmp_path: Path) -> None:
    generators = [{"use": f"{__name__}:Wrong"}, {"use": "retrieve"}]
    done = run(tmp_path, generators, rounds=2, per_round=300, guards={"patience": 9, "accepted_most": 1})
    first, second = rounds(done)
    assert "wrong" in first.generators
    assert (list(second.generators), second.writing) == (["retrieve"], 1)


def test_without_gain_the_rounds_end_and_the_anchors_alone_are_returned(tmp_path: Path) -> None:
    """Two generators that teach nothing: one says one sentence, the other repeats the anchors."""
    done = run(tmp_path, [{"use": f"{__name__}:Same"}, {"use": f"{__name__}:Copies"}], rounds=6)
    told = rounds(done)
    assert len(told) < 6
    assert sum(each.accepted for each in told) <= 1  # the sentence once; copies of anchors are not proposed
    assert all(each.generators.get("copies") is None for each in told)


def test_a_silent_generator_ends_without_rows(tmp_path: Path) -> None:
    assert accepted(run(tmp_path, [{"use": f"{__name__}:Silent"}], rounds=2)).height == 0


def test_a_killed_loop_goes_on_to_the_same_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings: dict[str, Any] = {"rounds": 3, "guards": {"patience": 9}}
    whole = accepted(run(tmp_path / "whole", [{"use": "retrieve"}], **settings))
    write = Trial.write

    def cut(trial: Trial, folder: Path) -> None:
        if folder.parent.parent.name.endswith("r02"):
            monkeypatch.setattr(Trial, "write", write)
            raise KeyboardInterrupt
        write(trial, folder)

    monkeypatch.setattr(Trial, "write", cut)
    with pytest.raises(Interrupted):
        run(tmp_path / "cut", [{"use": "retrieve"}], **settings)
    again = run(tmp_path / "cut", [{"use": "retrieve"}], **settings)
    assert accepted(again).equals(whole)


def test_without_real_rows_it_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="real labelled rows of 1 labels"):
        run(tmp_path, [{"use": "retrieve"}], known=[(text, "card") for text, _ in KNOWN])


@pytest.mark.parametrize("generator", [{"use": "near_dedup"}, {"use": "retreive"}, {}])
def test_what_is_no_generator_is_told(tmp_path: Path, generator: dict[str, Any]) -> None:
    with pytest.raises(RecipeError, match=r"generator|retrieve"):
        run(tmp_path, [generator])


def test_few_real_rows_do_with_wide_intervals(tmp_path: Path) -> None:
    few, _ = desk(known=2, lines=0)
    done = run(tmp_path, [{"use": "retrieve"}], known=few, rounds=1, guards={"patience": 9})
    told = rounds(done)[0]
    assert told.judged is None
    assert told.copied is None


def test_a_generator_that_learns_is_fitted_again_where_a_kill_left_its_folder(tmp_path: Path) -> None:
    step = Propose.model_validate({"generators": [{"use": "template"}]})
    rows = _rows()
    context = Context(step_id="p", load_encoder=HashingEncoder)
    for _ in range(2):
        step.fit(rows, context, tmp_path)
    assert (tmp_path / "template" / "sets.json").is_file()


def _rows() -> pl.DataFrame:
    texts, labels = zip(*KNOWN, strict=True)
    rows = conform(
        pl.DataFrame(
            {
                "id": [f"{place:032x}" for place in range(len(texts))],
                "messages": dialogue({"user": pl.Series(list(texts))}),
                "task": ["classification"] * len(texts),
                "target": [json.dumps({"labels": [each]}) for each in labels],
            }
        )
    )
    return rows.with_columns(pl.lit(None, dtype=pl.String).alias("group"), pl.lit("s").alias("source"))


def test_snapped_rows_are_real_lines(tmp_path: Path) -> None:
    done = run(tmp_path, [{"use": "augment", "method": "eda"}], rounds=1, snap=0.5, guards={"patience": 9})
    table = done.table()
    rows = table.read(["messages", "extra"], table.made())
    moved = rows.filter(pl.col("extra").str.contains("snapped_from"))
    assert moved.height > 10
    assert set(user_text(moved["messages"]).to_list()) <= set(TRUTH)


@pytest.mark.skipif(find_spec("transformers") is None, reason="needs torch and transformers")
def test_a_transformer_can_judge_the_labels(tmp_path: Path) -> None:
    path = write_tiny_bert(tmp_path / "encoder", layers=1)
    transformer = {"path": str(path), "epochs": 2, "folds": 2}
    lines = [{"use": "label_propagation", "confidence": 0}]
    found = run(tmp_path / "run", lines, rounds=1, transformer=transformer, guards={"patience": 9})
    light = run(tmp_path / "light", lines, rounds=1, guards={"patience": 9})

    def judged(done: Run) -> pl.Series:
        table = done.table()
        return table.read(["id", "gan_accept.match"], table.made()).sort("id")["gan_accept.match"]

    assert judged(found).is_between(0, 1).all()
    assert not judged(found).equals(judged(light))
    few = run(tmp_path / "few", lines, KNOWN[6:18], rounds=1, transformer=transformer, guards={"patience": 9})
    assert (rounds(few)[0].known or 0) < 20  # too few for a transformer: the light judge
