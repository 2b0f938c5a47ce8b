"""Letters of words: their shapes, and what the encoder reads of them."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from tests.tiny_bert import write_tiny_bert  # noqa: E402
from tests.unit.training.test_ner import rows, score, settings  # noqa: E402
from zhiling.training import load, train  # noqa: E402
from zhiling.training.fit import build_features  # noqa: E402
from zhiling.training.reading.features import Window, Word  # noqa: E402
from zhiling.training.reading.letters import Letters, token_words  # noqa: E402
from zhiling.training.tasks.ner import Ner  # noqa: E402


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_bert(tmp_path_factory.mktemp("models") / "tiny")


def test_each_token_has_its_word() -> None:
    window = Window([2, 10, 11, 12, 3], [0] * 5, (Word(1, 0, 6, 0, "Kyotos", 2), Word(3, 6, 7, 0, "。", 1)))
    assert token_words(window) == ["", "Kyotos", "Kyotos", "。", ""]


def test_equal_words_have_equal_vectors_and_case_tells_words_apart() -> None:
    shown = Letters()([["Apple", "apple"], ["apple"]], 3)
    assert shown.shape == (2, 3, Letters.width)
    assert torch.equal(shown[0, 1], shown[1, 0])
    assert not torch.allclose(shown[0, 0], shown[0, 1])
    assert torch.equal(shown[1, 1], shown[1, 2])  # both are padding


def test_at_first_letters_change_nothing_in_the_encoder(tiny: Path) -> None:
    known = rows(1)
    states: list[torch.Tensor] = []
    for letters in (True, False):
        chosen = settings(tiny, letters=letters)
        task = Ner.learn(known, chosen)
        features = build_features(chosen, task, known).eval()
        encoded = features(features.prepare([task.segments(turns) for turns in known.inputs]))
        assert encoded.tokens is not None
        states.append(encoded.tokens)
    assert torch.allclose(*states, atol=1e-6)


@pytest.mark.parametrize("method", ["full", "top_layers", "bitfit", "lora", "prefix", "prompt", "p_tuning"])
def test_letters_are_read_under_every_method_and_saved(tiny: Path, tmp_path: Path, method: str) -> None:
    known = rows(1)
    chosen = settings(tiny, method=method, epochs=2, layers=1, virtual_tokens=2, rank=2)
    model = train(chosen, (known, known), seed=1, evaluate=score)
    moved = model.model.state_dict()["features.parts.0.letters.out.weight"]
    assert moved.abs().max() > 0
    model.save(tmp_path / "model")
    again = load(tmp_path / "model")
    assert again.predict(known.inputs).answers == model.predict(known.inputs).answers
