"""The step `language_model`: rows for each label, no copies, accepted rows learnt, every attempt told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from zhiling.adversarial.generators import language_model, updates
from zhiling.adversarial.generators.causal_model import Fault, LanguageModel, Sample
from zhiling.adversarial.generators.language_model import LanguageModelGenerator
from zhiling.adversarial.generators.updates.rule import Judged
from zhiling.errors import UsageError
from zhiling.pipeline import registry
from zhiling.pipeline.apply import Outcome, apply
from zhiling.pipeline.plan import Plan, RepeatLine, SourceLine, StepLine, Until
from zhiling.pipeline.runner import Runner
from zhiling.pipeline.step import Batch, Context, Made, Source
from zhiling.pipeline.store import Manifest, Project, RunFolder
from zhiling.rows.conversation import dialogue, user_text
from zhiling.rows.schema import conform
from zhiling.rows.target import LABEL

SEEDS = [
    ("my card is lost", "card"), ("i lost the card", "card"), ("the card was stolen", "card"),
    ("where is my parcel", "parcel"), ("the parcel is late", "parcel"), ("has the parcel left", "parcel"),
    ("银行卡丢了", "卡"), ("我的卡不见了", "卡"), ("卡被偷了", "卡"),
    ("包裹在哪里", "包裹"), ("包裹还没有到", "包裹"), ("我的包裹坏了", "包裹"),
]  # fmt: skip
LOGS = ["where is my card", "is the parcel lost", "the card is broken", "我的包裹丢了", "卡坏了", "卡在哪里"]
STEP = LanguageModelGenerator(
    layers=1, width=32, vocabulary=400, longest=24, pretraining=20, tuning=40, per_label=6, temperature=1.0
)


def rows(
    labelled: Sequence[tuple[str, str]] = SEEDS, logs: Sequence[str] = LOGS, **more: Any
) -> pl.DataFrame:
    """Labelled sentences and logs as the step is given them."""
    texts = [*(text for text, _ in labelled), *logs]
    targets = [f'{{"labels":["{label}"]}}' for _, label in labelled]
    made = {
        "id": [f"{number:03}" for number in range(len(texts))],
        "messages": dialogue({"user": pl.Series(texts, dtype=pl.String)}),
        "task": ["classification"] * len(labelled) + ["utterance"] * len(logs),
        "target": pl.Series([*targets, *[None] * len(logs)], dtype=pl.String),
    }
    return pl.DataFrame(made).with_columns(source=pl.lit("s"), group=pl.lit(None, dtype=pl.String))


def made(step: LanguageModelGenerator = STEP, given: pl.DataFrame | None = None, **context: Any) -> Made:
    given = rows() if given is None else given
    return step.make(given.filter(step.applies(given)), Context(step_id="x", seed=3, **context))


def told(answer: Made) -> list[tuple[str, str]]:
    labels = answer.rows.select(LABEL.alias("label"))["label"].to_list()
    return list(zip(user_text(answer.rows["messages"]).to_list(), labels, strict=True))


@pytest.fixture(scope="module")
def answer() -> Made:
    return made()


def test_each_label_is_written_for_as_often_as_asked(answer: Made) -> None:
    counts = Counter(label for _, label in told(answer)) + Counter(
        dict(SEEDS_BY_ID)[failure.row] for failure in answer.failures
    )
    assert counts == dict.fromkeys(("card", "parcel", "卡", "包裹"), STEP.per_label)
    assert all(text.strip() for text, _ in told(answer))


SEEDS_BY_ID = [(f"{number:03}", label) for number, (_, label) in enumerate(SEEDS)]


def test_a_row_descends_from_a_row_of_its_label(answer: Made) -> None:
    of = dict(SEEDS_BY_ID)
    parents = [each[0] for each in answer.rows["parents"].to_list()]
    assert [of[parent] for parent in parents] == [label for _, label in told(answer)]
    keys = list(zip(parents, answer.rows["sample"].to_list(), strict=True))
    assert len(set(keys)) == len(keys)
    assert answer.rows["parents"].list.len().unique().to_list() == [1]
    assert conform(answer.rows.drop("parents", "sample")).height == answer.rows.height


def test_it_repeats_and_hangs_on_seed_and_round_alone(answer: Made) -> None:
    given = rows()
    assert told(made(given=given.reverse())) == told(answer)
    assert told(made(round=2)) != told(answer)


def test_no_copy_of_what_was_learnt_is_made() -> None:
    step = STEP.model_copy(update={"width": 64, "tuning": 150, "temperature": 0.3, "tries": 1})
    answer = made(step)
    known = {text for text, _ in SEEDS} | set(LOGS)
    assert known.isdisjoint(text for text, _ in told(answer))
    assert "copied" in {failure.cls for failure in answer.failures}
    assert all(failure.message and failure.row in dict(SEEDS_BY_ID) for failure in answer.failures)


class Scripted:
    """A model that writes what it is told to, try by try."""

    labels = ("a", "b")

    def __init__(self, *tries: Sequence[Sample]) -> None:
        self.tries = list(tries)
        self.asked: list[list[str]] = []

    def sample(self, labels: Sequence[str], **options: float) -> Sequence[Sample]:
        self.asked.append(list(labels))
        return self.tries.pop(0)


def test_what_failed_is_tried_again_and_then_told(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Scripted(
        [Sample("new", None), Sample("  ONE! ", None), Sample("", Fault.EMPTY), Sample("二", None)],
        [Sample("newer", None), Sample("no en", Fault.TRUNCATED), Sample("一�", Fault.LOST_CHARACTERS)],
    )
    monkeypatch.setattr(language_model.LanguageModel, "fit", lambda *given: model)
    step = STEP.model_copy(update={"tries": 2, "per_label": 2})
    answer = made(step, rows([("one", "a"), ("二", "b")], []))
    assert model.asked == [["a", "a", "b", "b"], ["a", "b", "b"]]
    assert told(answer) == [("new", "a"), ("newer", "a")]
    assert [(each.row, each.cls) for each in answer.failures] == [
        ("001", "truncated"),
        ("001", "lost_characters"),
    ]
    assert "'b'" in answer.failures[0].message


def accepted(*texts: tuple[str, str]) -> pl.DataFrame:
    """Rows of an earlier round, beside the rows of the recipe themselves and a row of another task."""
    earlier = rows(texts, []).with_columns(id=pl.lit("r") + pl.col("id"))
    other = rows([], ["我的锁坏了"]).with_columns(id=pl.lit("o"))
    return pl.concat([rows(), earlier, other])


def test_rows_that_were_accepted_are_learnt(monkeypatch: pytest.MonkeyPatch) -> None:
    tuned: list[tuple[list[str], list[str]]] = []
    tune = LanguageModel.tuned

    def spied(self: Any, texts: Any, labels: Any, steps: int, seed: int) -> LanguageModel:
        tuned.append((list(texts), list(labels)))
        return tune(self, texts, labels, steps, seed)

    monkeypatch.setattr(LanguageModel, "tuned", spied)
    before = accepted(("the card is gone", "card"), ("卡没有了", "卡"), ("what is this", "unheard of"))
    answer = made(reference=before)
    assert [len(texts) for texts, _ in tuned] == [len(SEEDS), len(SEEDS) + 2]
    texts, labels = tuned[1]
    assert texts == [*(text for text, _ in SEEDS), "the card is gone", "卡没有了"]
    assert labels == [*(label for _, label in SEEDS), "card", "卡"]
    assert told(answer) != told(made())
    assert told(made(STEP.model_copy(update={"update": "none"}), reference=before)) == told(made())
    assert [len(texts) for texts, _ in tuned[2:]] == [len(SEEDS)] * 3


def test_rows_of_the_recipe_alone_are_no_accepted_rows() -> None:
    assert told(made(reference=rows())) == told(made())


def test_rows_without_one_label_or_text_pass_by() -> None:
    given = rows([*SEEDS, ("  ", "card"), ("two labels", 'card","parcel')], [*LOGS, ""])
    passed = given.filter(~STEP.applies(given))
    assert user_text(passed["messages"]).to_list() == ["  ", "two labels", ""]


def test_a_target_that_cannot_be_read_is_told() -> None:
    given = rows([*SEEDS, ("a broken one", 'card"],"more":["x')])
    answer = made(given=given)
    assert [(each.row, each.cls) for each in answer.failures if each.cls == "broken_target"] == [
        ("012", "broken_target")
    ]
    assert answer.rows.height


def test_logs_alone_are_refused() -> None:
    with pytest.raises(UsageError, match="none of its 6 rows has one"):
        made(given=rows([]))


@pytest.mark.parametrize("given", [SEEDS[:1], SEEDS[:3], [("同一句话", "a"), ("同一句话", "b"), ("x", "c")]])
def test_few_rows_are_enough(given: Sequence[tuple[str, str]]) -> None:
    answer = made(given=rows(given, []))
    assert answer.rows.height + len(answer.failures) == STEP.per_label * len({label for _, label in given})


def test_time_does_not_grow_with_rows_and_texts(tmp_path: Path) -> None:
    many = [("Where is my parcel? 我的包裹呢？", "parcel")] * 10_000
    long = [("word " * 200_000, "card"), ("好" * 300_000, "卡"), ("😀" * 250_000, "卡")]
    step = STEP.model_copy(update={"pretraining": 3, "tuning": 3, "per_label": 2})
    answer = made(step, rows([*many, *long], ["a" * 1_000_000, "𠀀\x00" * 1000]))
    assert answer.rows.height + len(answer.failures) == 3 * step.per_label


def test_the_runner_takes_what_it_makes() -> None:
    given = rows().with_columns(pl.int_range(pl.len(), dtype=pl.UInt32).alias("n"), pl.col("id").alias("key"))
    outcome: Outcome = apply(STEP, given, Context(step_id="x", seed=3))
    assert outcome.made is not None
    verdicts = outcome.ledger["verdict"].value_counts()
    counts = dict(zip(verdicts["verdict"].to_list(), verdicts["count"].to_list(), strict=True))
    assert counts["made"] + counts["passed"] == len(SEEDS) + len(LOGS)
    assert counts["made"] == outcome.made["parents"].explode().n_unique()
    assert outcome.made.height + counts.get("attempt", 0) == 4 * STEP.per_label


class Sentences(Source):
    """A line is a label, a tab and a sentence; without a label it is an utterance."""

    name = "sentences"

    def read(self, files: Sequence[Path], root: Path) -> Iterator[Batch]:
        for file in files:
            lines = [line.split("\t") for line in file.read_text(encoding="utf-8").splitlines()]
            labels = [label or None for label, _ in lines]
            yield Batch(
                pl.DataFrame(
                    {
                        "messages": dialogue({"user": pl.Series([text for _, text in lines])}),
                        "task": ["classification" if label else "utterance" for label in labels],
                        "target": [label and f'{{"labels":["{label}"]}}' for label in labels],
                        "locator": [f"{file.name}:{number}" for number in range(len(lines))],
                        "group": [None] * len(lines),
                    },
                    schema_overrides={"group": pl.String, "target": pl.String},
                )
            )


def world(root: Path) -> tuple[RunFolder, Project, Plan]:
    """A run of two rounds, not begun."""
    root.mkdir()
    lines = [f"{label}\t{text}" for text, label in SEEDS] + [f"\t{text}" for text in LOGS]
    file = root / "sentences.txt"
    file.write_text("\n".join(lines), encoding="utf-8")
    source = SourceLine("sentences", Sentences(path="sentences.txt"), (file,))
    rounds = RepeatLine("rounds", Until(accepted=1000), 2, (StepLine("lm", STEP),))
    project = Project(root)
    folder = RunFolder.create(project.next_path("toy"), Manifest(run="toy", recipe="toy"))
    return folder, project, Plan("toy", root, 7, (source,), (rounds,), max_failed=1.0)


def written(folder: RunFolder, project: Project, plan: Plan) -> list[str]:
    """All texts after the run."""
    table = Runner(plan, folder, project, lambda event: None).rows()
    return user_text(table.read(["messages"], table.kept())["messages"]).to_list()


def test_rounds_learn_from_those_before_and_resume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    learnt: list[int] = []
    tune = LanguageModel.tuned

    def spied(self: Any, texts: Any, labels: Any, steps: int, seed: int) -> LanguageModel:
        learnt.append(len(texts))
        return tune(self, texts, labels, steps, seed)

    monkeypatch.setattr(LanguageModel, "tuned", spied)
    one, other = world(tmp_path / "one"), world(tmp_path / "other")
    texts = written(*one)
    assert learnt[:2] == [len(SEEDS)] * 2
    assert len(SEEDS) < learnt[2] < len(texts) - len(LOGS)
    assert written(*one) == texts
    assert len(learnt) == 3, "a finished round is not written again"
    assert written(*other) == texts


class Parroting:
    """A rule of a plug-in: the model forgets all but what was judged."""

    def update(self, model: LanguageModel, judged: Judged, anchors: Judged, seed: int) -> LanguageModel:
        PARROTED.append((list(judged.texts), list(anchors.texts), seed))
        return model.tuned(judged.texts, judged.labels, 1, seed)


PARROTED: list[tuple[list[str], list[str], int]] = []


def test_a_rule_of_a_plug_in_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(updates.UPDATES, "parroting", f"{__name__}:Parroting")
    registry.table.cache_clear()
    PARROTED.clear()
    try:
        step = LanguageModelGenerator.model_validate({**STEP.model_dump(), "update": "parroting"})
        made(step, reference=accepted(("the card is gone", "card"), ("卡没有了", "卡")))
    finally:
        registry.table.cache_clear()
    ((judged, anchors, seed),) = PARROTED
    assert judged == ["the card is gone", "卡没有了"]
    assert anchors == [text for text, _ in SEEDS]
    assert seed >= 0


@pytest.mark.parametrize("name", ["rfat", "policy", ""])
def test_an_unknown_rule_is_refused_with_those_that_are_known(name: str) -> None:
    with pytest.raises(ValueError, match=rf"unknown update '{name}': .*raft.*none"):
        LanguageModelGenerator(update=name)
