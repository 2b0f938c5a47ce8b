"""The nearest training rows: as a full search finds them, part by part, in every task's space."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from tests.labelled_rows import accuracy, labelled
from tests.tiny_bert import write_tiny_bert
from zhiling.rows.target import Entities, Span, spelled
from zhiling.training import Examples, TrainSettings, text_input, train
from zhiling.training.explaining.neighbours import head_vectors, nearest


@pytest.mark.parametrize("size", [1, 7, 40])
def test_parts_change_nothing(size: int) -> None:
    draw = np.random.default_rng(0)
    rows, asked = draw.normal(size=(40, 5)).astype(np.float32), draw.normal(size=(3, 5)).astype(np.float32)
    places, cosines = nearest(asked, (rows[start : start + size] for start in range(0, 40, size)), 6)
    full = asked @ rows.T
    assert places.tolist() == np.argsort(-full, axis=1, kind="stable")[:, :6].tolist()
    assert np.allclose(cosines, np.take_along_axis(full, places, axis=1))


def test_fewer_rows_than_asked_for() -> None:
    places, cosines = nearest(np.eye(2, dtype=np.float32), [np.eye(2, dtype=np.float32)], 5)
    assert places.tolist() == [[0, 1], [1, 0]]
    assert cosines.shape == (2, 2)


@pytest.mark.parametrize("features", ["ngrams", "both"])
def test_a_text_is_its_own_nearest_row(features: str, tmp_path: Path) -> None:
    examples = labelled(2)
    backbone = None if features == "ngrams" else str(write_tiny_bert(tmp_path / "encoder"))
    settings = TrainSettings.model_validate({"features": features, "backbone": backbone, "epochs": 2})
    trained = train(settings, (examples, examples), seed=1, evaluate=accuracy)
    vectors = head_vectors(trained, examples.inputs)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    places, cosines = nearest(vectors, [vectors], 1)
    assert np.allclose(cosines, 1, atol=1e-5)
    assert np.allclose(vectors[places[:, 0]], vectors, atol=1e-5)


def test_long_texts_of_a_token_task_have_one_vector(tmp_path: Path) -> None:
    backbone = str(write_tiny_bert(tmp_path / "encoder"))
    texts = ["my card " * 90, "where is the parcel"]
    targets = tuple(spelled(Entities(spans=[Span(start=3, end=7, label="THING")])) for _ in texts)
    examples = Examples(("a", "b"), tuple(map(text_input, texts)), targets, ("en", "en"))
    settings = TrainSettings.model_validate(
        {"task": "ner", "features": "encoder", "backbone": backbone, "epochs": 1}
    )
    trained = train(settings, (examples, examples), seed=1, evaluate=accuracy)
    whole = head_vectors(trained, examples.inputs)
    assert whole.shape == (2, 32)
    assert np.allclose(whole[1], head_vectors(trained, examples.inputs[1:])[0], atol=1e-5)
