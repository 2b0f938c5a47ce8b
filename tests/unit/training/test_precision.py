"""bf16 is asked for or found faster; answers then differ a little, and the head stays in fp32."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from tests.labelled_rows import accuracy, labelled  # noqa: E402
from tests.tiny_bert import write_tiny_bert  # noqa: E402
from zhiling.training import TrainSettings, load, train  # noqa: E402
from zhiling.training.model import TaskModel  # noqa: E402
from zhiling.training.running import precision  # noqa: E402
from zhiling.training.trained import Trained  # noqa: E402

ROWS = labelled(2)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    tiny = write_tiny_bert(tmp_path_factory.mktemp("models") / "tiny")
    fields = {"features": "encoder", "backbone": str(tiny), "method": "full", "epochs": 2}
    return train(TrainSettings.model_validate(fields), (ROWS, ROWS), seed=1, evaluate=accuracy)


CASES = [("auto", True, True), ("auto", False, False), ("fp32", True, False), ("bf16", False, True)]


@pytest.mark.parametrize(("asked", "faster", "bf16"), CASES)
def test_auto_asks_the_trial(monkeypatch: pytest.MonkeyPatch, asked: str, faster: bool, bf16: bool) -> None:
    monkeypatch.setattr(precision, "bf16_is_faster", lambda: faster)
    with precision.autocast(asked):
        assert (torch.mm(torch.ones(2, 2), torch.ones(2, 2)).dtype == torch.bfloat16) == bf16


def test_a_saved_model_reads_in_bf16_where_asked(model: Trained, tmp_path: Path) -> None:
    model.save(tmp_path / "model")
    plain, rough = (
        load(tmp_path / "model", precision=each).predict(ROWS.inputs) for each in ("fp32", "bf16")
    )
    assert np.array_equal(plain.scores, model.predict(ROWS.inputs).scores)
    assert rough.scores.dtype == np.float32
    assert not np.array_equal(rough.scores, plain.scores)
    assert np.allclose(rough.scores, plain.scores, atol=0.02)


def test_training_in_bf16_leaves_a_model_that_answers_in_fp32(model: Trained) -> None:
    settings = model.settings.model_copy(update={"precision": "bf16"})
    trained = train(settings, (ROWS, ROWS), seed=1, evaluate=accuracy)
    assert trained.model.precision == "fp32"
    assert all(weight.dtype == torch.float32 for weight in trained.model.parameters())


def test_equal_inputs_are_read_once(model: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    answers = TaskModel.answers

    def counting(self: TaskModel, inputs: list[object], *more: object) -> object:
        read.append(len(inputs))
        return answers(self, inputs, *more)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(TaskModel, "answers", counting)
    texts = ["my card", "快递", "my card", "my card"]
    told = model.predict(texts)
    assert read == [2]
    assert len(told) == 4
    assert told.answers[0] == told.answers[2] == told.answers[3]
    assert np.array_equal(told.scores[0], told.scores[3])
