"""Saved models: the same answers after loading, whole or not at all, and a clear error when damaged."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from tests.labelled_rows import accuracy, labelled  # noqa: E402
from tests.tiny_bert import write_tiny_bert  # noqa: E402
from zhiling.encoders.transformer import TransformerEncoder  # noqa: E402
from zhiling.errors import DamagedFile, MissingInput, StepFailed, UsageError  # noqa: E402
from zhiling.training import TrainSettings, load, train  # noqa: E402
from zhiling.training.saving import checkpoints  # noqa: E402
from zhiling.training.trained import Trained  # noqa: E402

ROWS = labelled(2)
TEXTS = [*ROWS.texts, "", "something else"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_bert(tmp_path_factory.mktemp("models") / "tiny")


def fitted(encoder: Path | None, **fields: object) -> Trained:
    backbone = str(encoder) if encoder else None
    settings = TrainSettings.model_validate({"backbone": backbone, "epochs": 2, **fields})
    return train(settings, (ROWS, ROWS), seed=1, evaluate=accuracy)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    fitted(None, features="ngrams").save(tmp_path / "model", {"accuracy": 0.5})
    return tmp_path / "model"


@pytest.mark.parametrize(
    "fields",
    [
        {"features": "ngrams", "backbone": None},
        {"features": "both"},
        {"features": "both", "method": "full", "max_tokens": 16},
        {"features": "encoder", "method": "top_layers", "layers": 1},
        {"features": "encoder", "method": "lora"},
        {"features": "encoder", "method": "dora"},
        {"features": "encoder", "method": "ia3"},
        {"features": "encoder", "method": "prefix"},
        {"features": "encoder", "method": "prompt"},
    ],
    ids=lambda fields: "-".join(map(str, fields.values())),
)
def test_a_saved_model_answers_as_before(tiny: Path, tmp_path: Path, fields: dict[str, object]) -> None:
    model = fitted(tiny, **fields)
    model.save(tmp_path / "deep" / "model")
    loaded = load(tmp_path / "deep" / "model")
    expected, found = model.predict(TEXTS), loaded.predict(TEXTS)
    assert found.answers == expected.answers
    assert np.allclose(found.scores, expected.scores, atol=1e-5)  # adapters are merged, which rounds
    assert (loaded.history, loaded.seed, loaded.task) == (model.history, model.seed, model.task)
    loaded.save(tmp_path / "again")
    assert np.array_equal(load(tmp_path / "again").predict(TEXTS).scores, found.scores)


def test_a_tuned_encoder_is_a_model_of_its_own(tiny: Path, tmp_path: Path) -> None:
    fitted(tiny, method="full", features="encoder", encoder_learning_rate=0.01).save(tmp_path / "model")
    tuned = TransformerEncoder(path=str(tmp_path / "model" / "encoder"))
    assert not np.allclose(tuned.encode(["my card"]), TransformerEncoder(path=str(tiny)).encode(["my card"]))


def test_saving_replaces_and_leaves_nothing_else(saved: Path) -> None:
    (saved / "stray").write_text("old")
    fitted(None, features="ngrams").save(saved, {"accuracy": 0.75})
    assert sorted(path.name for path in saved.parent.iterdir()) == ["model"]
    assert sorted(path.name for path in saved.iterdir()) == ["README.md", "config.json", "model.safetensors"]
    assert json.loads((saved / "config.json").read_text("utf-8"))["metrics"] == {"accuracy": 0.75}


def test_a_failed_save_leaves_the_old_model(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    model = fitted(None, features="ngrams")
    monkeypatch.setattr(checkpoints, "save_file", full_disk)
    with pytest.raises(StepFailed, match=r"the disk is full\n.*make room"):
        model.save(saved)
    assert sorted(path.name for path in saved.parent.iterdir()) == ["model"]
    assert load(saved).predict(TEXTS).classes == ("card", "parcel", "password")


def rewrite(folder: Path, **fields: object) -> None:
    config = json.loads((folder / "config.json").read_text("utf-8"))
    (folder / "config.json").write_text(json.dumps({**config, **fields}), encoding="utf-8")


def truncate(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-10])


def flip_one_bit(folder: Path) -> None:
    file = folder / "model.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (truncate, "model.safetensors: the file is not as it was saved"),
        (flip_one_bit, "model.safetensors: the file is not as it was saved"),
        (lambda folder: (folder / "model.safetensors").unlink(), "model.safetensors: the file is missing"),
        (lambda folder: (folder / "config.json").write_text("{"), "config.json: no JSON"),
        (lambda folder: (folder / "config.json").write_text("[]"), "config.json: format None"),
        (lambda folder: rewrite(folder, format=99), "format 99; this version of zhiling reads format 1"),
        (lambda folder: rewrite(folder, task_state={}), "does not fit together .*labels must be a list"),
        (lambda folder: rewrite(folder, task_state={"labels": ["a", "b"]}), "does not fit together"),
        (lambda folder: rewrite(folder, settings={"features": "both"}), "does not fit together"),
        (lambda folder: rewrite(folder, history=[{"x": 1}]), "does not fit together"),
    ],
)
def test_a_damaged_model_is_refused_with_its_place(saved: Path, damage: object, message: str) -> None:
    assert callable(damage)
    damage(saved)
    with pytest.raises(DamagedFile, match=message):
        load(saved)


def test_a_folder_without_a_model_is_missing_input(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match=r"config.json is missing.*\n.*zhiling train"):
        load(tmp_path)


def test_a_moved_encoder_is_given_and_another_one_refused(tmp_path: Path) -> None:
    first = write_tiny_bert(tmp_path / "first")
    model = fitted(first, features="both")
    model.save(tmp_path / "model")
    expected = model.predict(TEXTS)
    shutil.move(first, tmp_path / "moved")
    with pytest.raises(MissingInput, match="no model at"):
        load(tmp_path / "model")
    found = load(tmp_path / "model", backbone=str(tmp_path / "moved"))
    assert np.array_equal(found.predict(TEXTS).scores, expected.scores)
    other = write_tiny_bert(tmp_path / "other", seed=9)
    with pytest.raises(UsageError, match="not the one that this model was trained on"):
        load(tmp_path / "model", backbone=str(other))
