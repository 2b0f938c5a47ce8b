"""`zhiling predict`: rows of a file in their order, chunk by chunk, as JSON Lines or for people."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("torch")

from typer.testing import CliRunner

from tests.labelled_rows import accuracy, labelled
from zhiling.cli import predict
from zhiling.cli.main import app
from zhiling.training import TrainSettings, train

ROWS = labelled(2)
TEXTS = ["where is my parcel", "密码忘了", "where is my parcel", "my card is lost", "快递还没到"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved") / "model"
    settings = TrainSettings(features="ngrams", epochs=8, learning_rate=0.02)
    train(settings, (ROWS, ROWS), seed=0, evaluate=accuracy).save(folder)
    return folder


@pytest.fixture
def file(tmp_path: Path) -> Path:
    lines = [json.dumps({"text": text}, ensure_ascii=False) for text in TEXTS]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return tmp_path / "rows.jsonl"


def told(*arguments: object, given: str | None = None) -> list[str]:
    result = CliRunner().invoke(app, ["predict", *map(str, arguments)], input=given, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


@pytest.mark.parametrize("size", [1, 2, 8192])
def test_chunks_change_nothing(model: Path, file: Path, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predict, "_CHUNK", size)
    answers = [json.loads(line) for line in told("--model", model, "--file", file, "--json", "--top", "1")]
    assert [answer["text"] for answer in answers] == TEXTS
    assert [answer["label"] for answer in answers] == ["parcel", "password", "parcel", "card", "parcel"]
    assert answers[0] == answers[2]
    assert all(list(answer["scores"]) == [answer["label"]] for answer in answers)


@pytest.mark.parametrize("precision", ["auto", "fp32", "bf16"])
def test_each_precision_is_had(model: Path, file: Path, precision: str) -> None:
    lines = told("--model", model, "--file", file, "--precision", precision)
    assert lines[0] == TEXTS[0]
    assert lines[1].startswith("  parcel 0.")
    assert len(lines) == 2 * len(TEXTS)


def test_standard_input_is_read_line_by_line(model: Path) -> None:
    lines = told("-", "--model", model, "--json", given="my card is lost\n我的快递在哪里\n")
    assert [json.loads(line)["label"] for line in lines] == ["card", "parcel"]
