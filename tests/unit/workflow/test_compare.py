"""Two models side by side: rows by slices, refusals, and what a side can be."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import orjson
import polars as pl
import pytest
from typer.testing import CliRunner

from tests.labelled_rows import accuracy, labelled
from zhiling.cli.main import app
from zhiling.errors import DamagedFile, MissingInput, UsageError, ZhilingError
from zhiling.evaluation.answered import Told
from zhiling.workflow.compare.compare import fitting, length_of, side_by_side
from zhiling.workflow.compare.sides import side_of
from zhiling.workflow.compare.text import render

N = 40
LABELS = ["card", "退款"]


def table(wrong: range, **columns: object) -> pl.DataFrame:
    truth = [LABELS[number % 2] for number in range(N)]
    return pl.DataFrame(
        {
            "id": [f"row{number:02}" for number in range(N)],
            "text": ["x" * (5 if number < 10 else 120) for number in range(N)],
            "language": ["zh" if number % 2 else "en" for number in range(N)],
            "source": ["chat" if number < 20 else "mail" for number in range(N)],
            "truth": truth,
            "predicted": ["other" if number in wrong else truth[number] for number in range(N)],
            **columns,
        }
    )


def written(folder: Path, name: str, frame: pl.DataFrame) -> Path:
    file = folder / name
    if file.suffix == ".parquet":
        frame.write_parquet(file)
    else:
        frame.write_ndjson(file)
    return file


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    return (
        written(tmp_path, "a.parquet", table(range(12))),
        written(tmp_path, "b.jsonl", table(range(10, 14)).sample(fraction=1, shuffle=True, seed=3)),
    )


def test_rows_scores_and_slices_are_those_of_the_same_rows(two: tuple[Path, Path]) -> None:
    found = side_by_side(*map(side_of, two), resamples=200)
    assert found.scores.n == N
    assert found.scores.arms["A"]["accuracy"].mean == pytest.approx(28 / N)
    assert found.scores.differences["B-A"]["accuracy"].mean == pytest.approx(8 / N)
    assert found.scores.differences["B-A"]["accuracy"].verdict == "better"
    pair = found.scores.mcnemar["B-A"]
    assert (pair.arm_only, pair.other_only) == (10, 2)
    assert {kind: sorted(parts) for kind, parts in found.slices.items()} == {
        "label": ["card", "退款"], "language": ["en", "zh"], "length": ["0–19", "100–199"],
        "source": ["chat", "mail"],
    }  # fmt: skip
    _, short = found.slices["length"]["0–19"]
    assert (short.better, short.same, short.worse) == (10, 0, 0)
    assert [row.id for row in found.rows["worse"]] == ["row12", "row13"]
    assert found.rows["worse"][0].answers == {"A": "card", "B": "other"}
    assert len(found.rows["better"]) == 5


def test_a_side_beside_itself_differs_by_nothing(two: tuple[Path, Path]) -> None:
    found = side_by_side(side_of(two[0]), side_of(two[0]), resamples=200)
    difference = found.scores.differences["B-A"]["accuracy"]
    assert (difference.mean, difference.low, difference.high) == (0, 0, 0)
    assert found.rows == {"better": (), "worse": ()}


@pytest.mark.parametrize(("language", "words"), [("en", "no difference"), ("zh", "无差异")])
def test_the_text_says_what_the_numbers_say_in_both_languages(
    two: tuple[Path, Path], language: str, words: str
) -> None:
    told = render(side_by_side(*map(side_of, two), resamples=200), language)
    assert "+0.200" in told
    assert words in told
    assert "row12" in told
    assert "{" not in told


def test_groups_are_resampled_and_rows_without_an_answer_left_out(tmp_path: Path) -> None:
    groups = [f"g{number // 10}" for number in range(N)]
    lacking = [None, *table(range(0))["predicted"][1:]]
    first = side_of(written(tmp_path, "a.parquet", table(range(12), group=groups)))
    second = side_of(written(tmp_path, "b.parquet", table(range(0), group=groups, predicted=lacking)))
    found = side_by_side(first, second, resamples=200)
    assert found.scores.groups == 4
    assert found.scores.unscored == {"A": 0, "B": 1}
    assert "4 groups" in render(found, "en")
    assert "1 rows without an answer" in render(found, "en")


def test_the_verb_prints_text_and_json(two: tuple[Path, Path]) -> None:
    names = list(map(str, two))
    shown = CliRunner().invoke(app, ["compare", *names, "--language", "zh"], catch_exceptions=False)
    assert "变好" in shown.stdout
    told = CliRunner().invoke(app, ["compare", *names, "--json", "--metric", "accuracy", "--examples", "1"])
    found = orjson.loads(told.stdout)
    assert found["names"] == dict(zip("AB", names, strict=True))
    assert set(found["arms"]["A"]) == {"accuracy"}
    assert found["slices"]["source"]["chat"]["changed"] == {"better": 10, "same": 8, "worse": 2}
    assert [len(rows) for rows in found["rows"].values()] == [1, 1]


def lines(file: Path, records: Iterable[object]) -> Path:
    file.write_bytes(b"".join(orjson.dumps(record) + b"\n" for record in records))
    return file


def test_answers_that_predict_printed_are_compared_on_given_rows(tmp_path: Path) -> None:
    rows = lines(tmp_path / "rows.jsonl", ({"text": f"text {n}", "label": "甲乙"[n % 2]} for n in range(6)))
    files = [
        lines(tmp_path / f"{name}.jsonl", ({"text": "…", "label": label, "scores": {}} for label in labels))
        for name, labels in (("a", "甲甲甲甲甲甲"), ("b", "甲乙甲乙甲甲"))
    ]
    found = side_by_side(*(side_of(file, rows) for file in files), resamples=100)
    assert found.scores.changed is not None
    assert (found.scores.changed.better, found.scores.changed.worse) == (2, 0)


def test_saved_models_answer_given_rows_with_their_probabilities(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from zhiling.training import TrainSettings, train

    examples = labelled()
    texts = zip(examples.texts, examples.targets, strict=True)
    rows = lines(tmp_path / "rows.jsonl", ({"text": text, "label": label} for text, label in texts))
    for name, epochs in (("a", 1), ("b", 3)):
        settings = TrainSettings(features="ngrams", epochs=epochs)
        train(settings, (examples, examples), seed=1, evaluate=accuracy).save(tmp_path / name / "model")
    sides = [side_of(tmp_path / name, rows) for name in "ab"]
    found = side_by_side(*sides, metrics=("accuracy", "brier"), resamples=100)
    assert found.scores.differences["B-A"]["brier"].verdict == "better"
    assert found.scores.n == len(examples)


def _other_rows(folder: Path) -> None:
    first = side_of(written(folder, "a.parquet", table(range(3))))
    side_by_side(first, side_of(written(folder, "b.parquet", table(range(3))[:-1])))


def _other_truth(folder: Path) -> None:
    first = side_of(written(folder, "a.parquet", table(range(3))))
    second = table(range(3)).with_columns(truth=pl.lit("card"))
    side_by_side(first, side_of(written(folder, "b.parquet", second)))


def _no_truth(folder: Path) -> None:
    side_of(written(folder, "a.parquet", table(range(3)).drop("truth")))


def _twice(folder: Path) -> None:
    side_of(written(folder, "a.parquet", pl.concat([table(range(3)), table(range(3))[:1]])))


def _nothing(folder: Path) -> None:
    side_of(folder)


def _model_without_rows(folder: Path) -> None:
    (folder / "config.json").write_text("{}", "utf-8")
    side_of(folder)


@pytest.mark.parametrize(
    ("attempt", "kind", "message"),
    [
        (
            _other_rows,
            UsageError,
            r"answer different rows: 1 \(row39\) only in the first, 0 only in the second",
        ),
        (_other_truth, UsageError, "row 'row01' has the truth '退款' in .* and 'card' in"),
        (_no_truth, DamagedFile, "each row needs `id`, `truth` and 'predicted'"),
        (_twice, UsageError, "2 rows share their id with another: 'row00'"),
        (_nothing, MissingInput, "no evaluated run, no saved model"),
        (_model_without_rows, MissingInput, "a saved model holds no test rows"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    tmp_path: Path, attempt: object, kind: type[ZhilingError], message: str
) -> None:
    with pytest.raises(kind, match=message):
        attempt(tmp_path)


@pytest.mark.parametrize(
    ("truth", "answer", "metrics"),
    [
        ("好", "好", ("accuracy", "macro_f1")),
        ("1", "2", ("accuracy", "macro_f1")),
        ("1.5", "2.0", ("pearson", "r_squared")),
        ('{"spans":[]}', "", ("entity_f1", "entity_macro_f1")),
        ('{"answers":[{"text":"a"}]}', '{"answers":[{"text":"a","score":0.5}]}', ("mrr", "recall_at_1")),
        ('{"answers":[]}', '{"answers":[]}', ("exact_match", "answer_f1")),
    ],
)
def test_metrics_fit_the_shape_of_the_truth(truth: str, answer: str, metrics: tuple[str, ...]) -> None:
    assert fitting([truth], Told([answer])) == metrics


@pytest.mark.parametrize(("length", "bucket"), [(0, "0–19"), (19, "0–19"), (20, "20–49"), (500, "500+")])
def test_buckets_of_length(length: int, bucket: str) -> None:
    assert length_of("字" * length) == bucket
