"""What training does with rows, encoders and disks that are not as they should be: an error, or a note."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from tests.labelled_rows import accuracy, labelled  # noqa: E402
from tests.small_disk import small_disk  # noqa: E402
from tests.tiny_bert import write_tiny_bert  # noqa: E402
from zhiling.errors import StepFailed, UsageError  # noqa: E402
from zhiling.training import Examples, TrainSettings, text_input, train  # noqa: E402
from zhiling.training.fit import LONGER  # noqa: E402
from zhiling.training.model import TaskModel  # noqa: E402

ROWS = labelled()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_tiny_bert(tmp_path_factory.mktemp("models") / "tiny"))


def settings(tiny: str, **fields: object) -> TrainSettings:
    return TrainSettings.model_validate({"features": "encoder", "backbone": tiny, "epochs": 2, **fields})


def long(rows: Examples) -> Examples:
    """The same with texts of 40 words."""
    return replace(rows, inputs=tuple(text_input(f"{text} my card" + " lost" * 40) for text in rows.texts))


@pytest.mark.parametrize("method", ["frozen", "full"])
def test_texts_that_are_cut_are_counted(tiny: str, method: str) -> None:
    half = len(ROWS) // 2
    mixed = replace(ROWS, inputs=(*long(ROWS).inputs[:half], *ROWS.inputs[half:]))
    for rows, count in ((long(ROWS), len(ROWS)), (mixed, half)):
        model = train(settings(tiny, method=method, max_tokens=20), (rows, rows), seed=0, evaluate=accuracy)
        assert model.unseen == {LONGER: count}
    model = train(settings(tiny, method=method), (ROWS, ROWS), seed=0, evaluate=accuracy)
    assert model.unseen == {}


def test_a_text_of_as_many_tokens_as_are_read_is_not_cut(tiny: str) -> None:
    rows = replace(ROWS, inputs=(text_input("my card is lost ? the"),) * len(ROWS))
    model = train(settings(tiny, max_tokens=8), (rows, rows), seed=0, evaluate=accuracy)
    assert model.unseen == {}


def test_a_class_with_one_row_is_a_class(tiny: str) -> None:
    one = replace(ROWS, targets=("only", *ROWS.targets[1:]))
    fields = {"method": "full", "class_weights": True}
    model = train(settings(tiny, **fields), (one, ROWS), seed=0, evaluate=accuracy)
    assert model.task.classes == ("card", "only", "parcel", "password")


def test_a_tokenizer_without_padding_is_refused(tmp_path: Path) -> None:
    folder = write_tiny_bert(tmp_path / "tiny")
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        if (folder / name).is_file():
            content = json.loads((folder / name).read_text("utf-8"))
            (folder / name).write_text(json.dumps({**content, "pad_token": None}), encoding="utf-8")
    with pytest.raises(UsageError, match=r'no padding token.*\n.*Set "pad_token"'):
        train(settings(str(folder)), (ROWS, ROWS), seed=0, evaluate=accuracy)


def test_a_batch_that_was_cut_for_memory_is_told(tiny: str, monkeypatch: pytest.MonkeyPatch) -> None:
    forward = TaskModel.forward

    def small(self: TaskModel, inputs: object) -> object:
        if self.training and len(inputs) > 8:  # pyright: ignore[reportArgumentType]
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes")
        return forward(self, inputs)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(TaskModel, "forward", small)
    model = train(settings(tiny, method="full", batch_size=32), (ROWS, ROWS), seed=0, evaluate=accuracy)
    assert [record.pieces for record in model.history] == [4, 4]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 300 kB of its own."""
    with small_disk(tmp_path / "disk", "300k") as folder:
        yield folder


def test_a_full_disk_stops_the_training_and_leaves_no_piece_of_a_file(
    tiny: str, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zhiling.training.running.resume.SECONDS_BETWEEN", 0.0)
    (disk / "ballast").write_bytes(b"\0" * 200_000)
    with pytest.raises(StepFailed, match="make room"):
        train(settings(tiny, method="full"), (ROWS, ROWS), seed=0, evaluate=accuracy,
              checkpoint=(disk / "training.pt", "key"))  # fmt: skip
    model = train(settings(tiny, method="full"), (ROWS, ROWS), seed=0, evaluate=accuracy)
    with pytest.raises(StepFailed, match="the disk is full"):
        model.save(disk / "model")
    assert [path.name for path in disk.iterdir()] == ["ballast"]
