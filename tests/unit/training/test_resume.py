"""A training that was stopped goes on to the same weights; micro-batches and a full memory change nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from tests.labelled_rows import accuracy, labelled  # noqa: E402
from tests.tiny_bert import write_tiny_bert  # noqa: E402
from zhiling.errors import StepFailed  # noqa: E402
from zhiling.training import EpochRecord, TrainSettings, train  # noqa: E402
from zhiling.training.model import TaskModel  # noqa: E402
from zhiling.training.trained import Trained  # noqa: E402

ROWS = labelled()


@pytest.fixture(autouse=True)
def _after_each_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zhiling.training.running.resume.SECONDS_BETWEEN", 0.0)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_tiny_bert(tmp_path_factory.mktemp("models") / "tiny"))


def settings(tiny: str, **fields: object) -> TrainSettings:
    return TrainSettings.model_validate(
        {"features": "encoder", "backbone": tiny, "method": "full", "epochs": 4, "patience": 9, **fields}
    )


def scores(model: Trained) -> np.ndarray:
    return model.predict(ROWS.inputs).scores


class _StoppedError(Exception):
    pass


def _stop_after(epoch: int):
    def progress(record: EpochRecord) -> None:
        if record.epoch == epoch:
            raise _StoppedError

    return progress


@pytest.mark.parametrize("fields", [{}, {"method": "gradual", "layers": 1}, {"optimiser": "sgd"}])
def test_a_stopped_training_ends_with_the_same_weights(
    tiny: str, tmp_path: Path, fields: dict[str, object]
) -> None:
    chosen = settings(tiny, **fields)
    whole = train(chosen, (ROWS, ROWS), seed=5, evaluate=accuracy)
    state = (tmp_path / "deep" / "training.pt", "key")
    with pytest.raises(_StoppedError):
        train(chosen, (ROWS, ROWS), seed=5, evaluate=accuracy, progress=_stop_after(2), checkpoint=state)
    seen: list[int] = []
    again = train(chosen, (ROWS, ROWS), seed=5, evaluate=accuracy, checkpoint=state,
        progress=lambda record: seen.append(record.epoch),
    )  # fmt: skip
    assert seen == [3, 4]
    assert again.history == whole.history
    assert np.array_equal(scores(again), scores(whole))


@pytest.mark.parametrize("damage", ["cut", "key", "text"])
def test_a_state_that_is_damaged_or_anothers_is_not_gone_on_with(
    tiny: str, tmp_path: Path, damage: str
) -> None:
    file = tmp_path / "training.pt"
    with pytest.raises(_StoppedError):
        train(
            settings(tiny),
            (ROWS, ROWS),
            seed=5,
            evaluate=accuracy,
            progress=_stop_after(2),
            checkpoint=(file, "a"),
        )
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:-1000])
    elif damage == "text":
        file.write_text("no state", encoding="utf-8")
    key = "b" if damage == "key" else "a"
    seen: list[int] = []
    train(settings(tiny), (ROWS, ROWS), seed=5, evaluate=accuracy, checkpoint=(file, key),
        progress=lambda record: seen.append(record.epoch),
    )  # fmt: skip
    assert seen == [1, 2, 3, 4]


def test_micro_batches_give_the_gradient_of_the_batch(tiny: str) -> None:
    whole, cut = (
        train(
            settings(tiny, accumulate=pieces, dropout=0.0, encoder_dropout=0.0),
            (ROWS, ROWS),
            seed=1,
            evaluate=accuracy,
        )
        for pieces in (1, 5)
    )
    for one, other in zip(whole.history, cut.history, strict=True):
        assert other.loss == pytest.approx(one.loss, abs=1e-4)


def test_a_full_memory_halves_the_batch_and_keeps_the_effective_size(
    tiny: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = train(settings(tiny, dropout=0.0, encoder_dropout=0.0), (ROWS, ROWS), seed=1, evaluate=accuracy)
    forward = TaskModel.forward

    def small(self: TaskModel, inputs: object) -> object:
        if self.training and len(inputs) > 8:  # pyright: ignore[reportArgumentType]
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes")
        return forward(self, inputs)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(TaskModel, "forward", small)
    tight = train(settings(tiny, dropout=0.0, encoder_dropout=0.0), (ROWS, ROWS), seed=1, evaluate=accuracy)
    for one, other in zip(plain.history, tight.history, strict=True):
        assert other.loss == pytest.approx(one.loss, abs=1e-4)


def test_one_example_that_does_not_fit_is_said(tiny: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: TaskModel, inputs: object) -> object:
        raise RuntimeError("can't allocate memory")

    monkeypatch.setattr(TaskModel, "forward", full)
    with pytest.raises(StepFailed, match="a single training example needs more memory"):
        train(settings(tiny), (ROWS, ROWS), seed=1, evaluate=accuracy)


@pytest.mark.parametrize(
    "fields",
    [
        {"schedule": "cosine"},
        {"schedule": "constant"},
        {"class_weights": True},
        {"focal": 2.0},
        {"precision": "auto"},
    ],
)
def test_further_settings_learn(tiny: str, fields: dict[str, object]) -> None:
    model = train(
        settings(tiny, epochs=8, encoder_learning_rate=1e-3, **fields),
        (ROWS, ROWS),
        seed=1,
        evaluate=accuracy,
    )
    assert model.dev_score > 0.6


def test_a_short_training_writes_no_state(tiny: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zhiling.training.running.resume.SECONDS_BETWEEN", 3600.0)
    file = tmp_path / "training.pt"
    train(settings(tiny), (ROWS, ROWS), seed=5, evaluate=accuracy, checkpoint=(file, "key"))
    assert not file.exists()
