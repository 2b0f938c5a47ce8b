"""Attributions add up to the answer's score; of n-grams they are exact; who cannot be explained is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("captum")

from tests.labelled_rows import accuracy, labelled
from tests.tiny_bert import write_tiny_bert
from zhiling.encoders.hashing import HashingEncoder
from zhiling.encoders.ngrams import ngrams_by_bucket
from zhiling.errors import UsageError
from zhiling.rows.target import Choice, Labels, spelled
from zhiling.rows.templates.example import Turn
from zhiling.training import Examples, Input, TrainSettings, text_input, train
from zhiling.training.explaining.attribution import LEAST_GAP, TOLERANCE, Attribution, explain, explainable
from zhiling.training.explaining.attribution_parts import OVERLAP
from zhiling.training.inputs import shown_text
from zhiling.training.trained import Trained


def fitted(folder: Path, examples: Examples, **settings: object) -> Trained:
    if settings.get("features") != "ngrams":
        settings["backbone"] = str(write_tiny_bert(folder / "encoder", pooling="mean_tokens"))
    chosen = TrainSettings.model_validate({"epochs": 3, **settings})
    return train(chosen, (examples, examples), seed=1, evaluate=accuracy)


def of_task(examples: Examples, task: str) -> Examples:
    """The same texts with targets, or inputs, of another task."""
    numbers = {label: str(number) for number, label in enumerate(sorted(set(examples.targets)))}
    match task:
        case "multi_label":
            told = [spelled(Labels(labels=[label])) for label in examples.targets]
        case "ordinal" | "regression":
            told = [numbers[label] for label in examples.targets]
        case "choice":
            options = tuple(Turn("user", label, "choice") for label in numbers)
            told = [spelled(Choice(choice=int(numbers[label]))) for label in examples.targets]
            inputs = tuple((*turns, *options) for turns in examples.inputs)
            return Examples(examples.ids, inputs, tuple(told), examples.languages)
        case _:
            told = list(examples.targets)
    return Examples(examples.ids, examples.inputs, tuple(told), examples.languages)


def pairs(examples: Examples) -> Examples:
    inputs = tuple(
        (Turn("user", shown_text(turns), "first"), Turn("user", "where is my card", "second"))
        for turns in examples.inputs
    )
    return Examples(examples.ids, inputs, examples.targets, examples.languages)


def assert_adds_up(found: Attribution) -> None:
    parts = sum(word.score for word in found.words) + sum(each.score for each in found.ngrams)
    assert found.baseline + parts + found.gap == pytest.approx(found.score, abs=1e-4)
    assert abs(found.gap) <= max(LEAST_GAP, TOLERANCE * abs(found.score - found.baseline))


@pytest.mark.parametrize("task", ["classification", "multi_label", "ordinal", "regression", "choice"])
@pytest.mark.parametrize("method", ["frozen", "full"])
def test_completeness_holds_for_every_task(task: str, method: str, tmp_path: Path) -> None:
    examples = of_task(labelled(2), task)
    trained = fitted(tmp_path, examples, task=task, features="both", method=method, ngram_width=8)
    found = explain(trained, examples.inputs[0])
    assert_adds_up(found)
    assert found.words
    assert found.ngrams
    assert not found.cut


@pytest.mark.parametrize("method", ["frozen", "full", "lora", "prompt"])
def test_completeness_holds_for_pairs_and_methods(method: str, tmp_path: Path) -> None:
    examples = labelled(2) if method == "prompt" else pairs(labelled(2))
    trained = fitted(tmp_path, examples, features="encoder", method=method)
    found = explain(trained, examples.inputs[0])
    assert_adds_up(found)
    assert {word.segment for word in found.words} == ({0} if method == "prompt" else {0, 1})


def test_completeness_holds_for_standard_heads(tmp_path: Path) -> None:
    examples = labelled(2)
    trained = fitted(tmp_path, examples, features="encoder", method="full", head="standard")
    assert_adds_up(explain(trained, examples.inputs[0]))


def test_ngrams_of_a_pair_say_where_they_stand(tmp_path: Path) -> None:
    examples = pairs(labelled(3))
    found = explain(fitted(tmp_path, examples, features="ngrams", ngram_min_rows=1), examples.inputs[0])
    assert_adds_up(found)
    told = {text for piece in found.ngrams for text in piece.texts}
    assert {"both: card", "first: lost", "second: wher", OVERLAP} <= told
    assert {text.split(":")[0] for text in told} == {"both", "first", "second", OVERLAP}


def test_the_score_is_the_models_own(tmp_path: Path) -> None:
    examples = labelled(2)
    trained = fitted(tmp_path, examples, features="both", method="full")
    found = explain(trained, examples.inputs[3])
    predicted = trained.predict([examples.inputs[3]])
    logs = np.log(predicted.scores[0])
    column = predicted.classes.index(found.explained)
    assert found.explained == predicted.answers[0]
    assert found.score == pytest.approx(float(logs[column] - logs.mean()), abs=1e-4)


def test_words_stand_where_they_say_and_long_texts_are_cut(tmp_path: Path) -> None:
    text = "Where is my 快递 ? " + "parcel " * 80
    trained = fitted(tmp_path, labelled(2), features="encoder")
    found = explain(trained, text_input(text))
    assert [word.text for word in found.words[:6]] == ["Where", "is", "my", "快", "递", "?"]
    assert all(text[word.start : word.end] == word.text for word in found.words)
    assert found.cut


def test_ngrams_are_exact_and_told_in_letters(tmp_path: Path) -> None:
    trained = fitted(tmp_path, labelled(4), features="ngrams", epochs=8)
    for text in ("my card is lost", "我的卡丢了"):
        found = explain(trained, text_input(text))
        assert found.explained == "card"
        assert found.words == ()
        assert found.gap == pytest.approx(0, abs=1e-5)
        assert_adds_up(found)
        assert all(piece.texts and piece.texts[0] in f" {text} " for piece in found.ngrams)
    assert [abs(piece.score) for piece in found.ngrams] == sorted(
        (abs(piece.score) for piece in found.ngrams), reverse=True
    )


def test_a_text_without_a_known_ngram_has_the_baselines_score(tmp_path: Path) -> None:
    trained = fitted(tmp_path, labelled(4), features="ngrams")
    found = explain(trained, text_input("ЖЖЖ"))
    assert (found.ngrams, found.score) == ((), found.baseline)


def test_another_label_can_be_asked_for(tmp_path: Path) -> None:
    trained = fitted(tmp_path, labelled(4), features="ngrams", epochs=8)
    turns: Input = text_input("my card is lost")
    assert explain(trained, turns, label="parcel").score < explain(trained, turns).score
    with pytest.raises(UsageError, match="no label 'nonsense'"):
        explain(trained, turns, label="nonsense")


def test_what_cannot_be_explained_says_why(tmp_path: Path) -> None:
    trained = fitted(tmp_path, labelled(2), features="ngrams")
    assert explainable(trained)
    with pytest.raises(UsageError, match="empty"):
        explain(trained, text_input("  "))


@pytest.mark.parametrize("text", ["Pay  NOW!", "我的卡 丢了", "a", "", "中"])
def test_buckets_are_spelled_as_they_are_hashed(text: str) -> None:
    spelled_out = ngrams_by_bucket(text, 1, 4, 4096)
    row = HashingEncoder(buckets=4096).encode_sparse([text])
    assert set(row.indices.tolist()) <= set(spelled_out)
    assert all(len(each) == len(set(each)) for each in spelled_out.values())
