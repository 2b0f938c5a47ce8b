"""Layers that do not move are computed once, and everything above learns what it would have learnt."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from tests.labelled_rows import accuracy, labelled  # noqa: E402
from tests.tiny_bert import write_tiny_bert  # noqa: E402
from zhiling.rows.target import Entities, Span, spelled  # noqa: E402
from zhiling.training import Examples, TrainSettings, text_input, train  # noqa: E402
from zhiling.training.methods.top_layers import layer_stack  # noqa: E402
from zhiling.training.reading import still_layers  # noqa: E402
from zhiling.training.reading.backbones import TunedEncoder  # noqa: E402

ROWS = labelled()
TEXT = "where is my card ?"
ENTITY = spelled(Entities(spans=[Span(start=12, end=16, label="THING")]))
ENTITIES = Examples(
    ("1", "2", "3"), (*(text_input(TEXT),) * 2, text_input("lost")),
    (ENTITY, ENTITY, spelled(Entities(spans=[]))), ("en",) * 3,
)  # fmt: skip


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_tiny_bert(tmp_path_factory.mktemp("models") / "tiny", layers=3))


def settings(tiny: str, **fields: object) -> TrainSettings:
    return TrainSettings.model_validate({"features": "encoder", "backbone": tiny, "epochs": 3, **fields})


WAYS = [
    ({"method": "top_layers", "layers": 1, "encoder_learning_rate": 1e-3}, ROWS),
    ({"method": "top_layers", "layers": 2, "head": "standard", "encoder_learning_rate": 1e-3}, ROWS),
    ({"task": "ner", "method": "frozen", "letters": False}, ENTITIES),
    ({"task": "ner", "method": "top_layers", "layers": 1}, ENTITIES),
]


@pytest.mark.parametrize(("fields", "rows"), WAYS, ids=lambda way: str(way)[:60])
def test_known_states_train_what_computing_them_trains(
    tiny: str, monkeypatch: pytest.MonkeyPatch, fields: dict[str, object], rows: Examples
) -> None:
    known: list[bool] = []
    run = TunedEncoder.run

    def watched(self: TunedEncoder, windows: object, states: object = ()) -> object:
        if self.training:
            known.append(bool(states))
        return run(self, windows, states)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(TunedEncoder, "run", watched)
    found = train(settings(tiny, **fields), (rows, rows), seed=1, evaluate=accuracy)
    assert all(known) == (fields.get("letters", True) is False or fields.get("task") != "ner")
    monkeypatch.setattr(still_layers, "MOST_BYTES", 0)
    plain = train(settings(tiny, **fields), (rows, rows), seed=1, evaluate=accuracy)
    for one, other in zip(found.history, plain.history, strict=True):
        assert one.loss == pytest.approx(other.loss, abs=1e-5)
    assert found.predict(rows.inputs).answers == plain.predict(rows.inputs).answers


def test_what_does_not_move_has_no_dropout(tiny: str) -> None:
    model = train(
        settings(tiny, method="top_layers", layers=1), (ROWS, ROWS), seed=1, evaluate=accuracy
    ).model
    network = model.train().tuned_encoder().network
    assert [layer.training for layer in layer_stack(network)] == [False, False, True]
    assert not network.embeddings.dropout.training
    assert model.head.training
    assert len(still_layers.still_layers(network)) == 2


@pytest.mark.parametrize("method", ["full", "bitfit", "lora", "prompt"])
def test_where_all_may_move_nothing_is_kept(tiny: str, method: str) -> None:
    model = train(settings(tiny, method=method, epochs=1), (ROWS, ROWS), seed=1, evaluate=accuracy).model
    assert still_layers.still_layers(model.tuned_encoder().network) == []


def test_an_encoder_of_its_own_folder_is_left_as_it_was(tiny: str, tmp_path: Path) -> None:
    trained = train(settings(tiny, method="top_layers", layers=1), (ROWS, ROWS), seed=1, evaluate=accuracy)
    layers = layer_stack(trained.model.tuned_encoder().network)
    assert all("forward" not in vars(layer) for layer in layers)
    trained.save(tmp_path / "model")
